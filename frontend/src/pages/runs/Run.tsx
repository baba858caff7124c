import { Anchor, Button, Group, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useCallback, useState } from "react";
import { Link, useParams } from "wouter";
import type { Task } from "../../live/socket";
import { useTask } from "../../live/task";
import { Answer } from "../../parts/Answer";
import { Outcome } from "../../parts/outcome/Outcome";
import { Section } from "../../parts/Section";
import { StatusBadge } from "../../parts/StatusBadge";
import { useCancelling, useWaiting } from "../../parts/TaskRow";
import { useFormat, useWords } from "../../preferences";
import { Again } from "./Again";
import classes from "./runs.module.css";

type Line = { at: string; text: string };

const MOST_LINES = 300;

/** One run, live. */
export default function Run() {
  const { id = "" } = useParams();
  const { pages } = useWords();
  const [run, lines] = useRun(id);
  return (
    <Stack>
      <Anchor component={Link} href="/runs">
        {pages.runs}
      </Anchor>
      <Answer query={run}>{(task) => <Found task={task} lines={lines} />}</Answer>
    </Stack>
  );
}

/** A run as it is now, and what it said since this page was opened. */
function useRun(id: string) {
  const [lines, setLines] = useState<Line[]>([]);
  const hear = useCallback((task: Task) => {
    const line = { at: new Date().toISOString(), text: task.error ?? task.message };
    setLines((old) => (old.at(-1)?.text === line.text ? old : [...old, line].slice(-MOST_LINES)));
  }, []);
  return [useTask(id, hear), lines] as const;
}

function Found({ task, lines }: { task: Task; lines: Line[] }) {
  const { runs } = useWords();
  const active = task.completed_at === null;
  return (
    <Stack data-run={task.status}>
      <Group justify="space-between">
        <Title order={1}>{task.message}</Title>
        <Group>
          <StatusBadge status={task.status} />
          {active ? <Cancel task={task} /> : <Again taskId={task.task_id} />}
        </Group>
      </Group>
      {active && <Progress value={task.progress} aria-label={task.message} animated />}
      {task.error !== null && <Text c="red">{task.error}</Text>}
      <Facts task={task} />
      <Section title={runs.lines}>
        <ol className={classes.lines} aria-live="polite">
          {lines.map(({ at, text }) => (
            <Spoken key={`${at} ${text}`} at={at} text={text} />
          ))}
        </ol>
      </Section>
      {task.result !== null && (
        <Section title={runs.result}>
          <Outcome task={task} />
        </Section>
      )}
    </Stack>
  );
}

function Spoken({ at, text }: Line) {
  const format = useFormat();
  return (
    <li>
      {format.second(at)} {text}
    </li>
  );
}

function Cancel({ task }: { task: Task }) {
  const { runs } = useWords();
  const cancelling = useCancelling(task);
  return (
    <Button
      color="red"
      variant="light"
      size="xs"
      loading={cancelling.isPending}
      onClick={() => cancelling.mutate()}
    >
      {runs.stop}
    </Button>
  );
}

function Facts({ task }: { task: Task }) {
  const { runs } = useWords();
  const format = useFormat();
  const waits = useWaiting(task);
  const { counters, work } = task;
  const facts: [string, string | null][] = [
    [runs.type, task.task_type],
    [runs.job, task.job_name],
    [runs.created, format.moment(task.created_at)],
    [runs.started, task.started_at && format.moment(task.started_at)],
    [runs.ended, task.completed_at && format.moment(task.completed_at)],
    [runs.attempt, task.attempt > 1 ? String(task.attempt) : null],
    [runs.nextTry, task.next_try_at && format.moment(task.next_try_at)],
    [runs.left, waits],
    [runs.done, work && `${format.number(work.done)} / ${format.number(work.total)} ${work.unit}`],
    [runs.rate, work && runs.perSecond(format.number(work.per_second))],
    [runs.inserted, format.number(counters.inserted)],
    [runs.updated, format.number(counters.updated)],
    [runs.unchanged, format.number(counters.unchanged)],
    [runs.rejected, format.number(counters.rejected)],
    [runs.requests, format.number(counters.requests)],
  ];
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} component="dl" m={0}>
      {facts.map(
        ([name, value]) =>
          value !== null && (
            <div key={name}>
              <Text component="dt" size="xs" c="dimmed">
                {name}
              </Text>
              <Text component="dd" size="sm" m={0}>
                {value}
              </Text>
            </div>
          ),
      )}
    </SimpleGrid>
  );
}
