import { Anchor, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import { useTasks } from "../../live/lists";
import { Answer } from "../../parts/Answer";
import { Section } from "../../parts/Section";
import { TaskRow } from "../../parts/TaskRow";
import { useWords } from "../../preferences";

const MOST = 8;

/** The runs that are queued or running, live. */
export function ActiveRuns() {
  const { overview, pages } = useWords();
  const tasks = useTasks();
  return (
    <Section
      title={overview.active}
      aside={
        <Anchor component={Link} href="/runs" size="sm">
          {pages.runs}
        </Anchor>
      }
    >
      <Answer query={tasks} lines={2}>
        {(all) => {
          const active = all.filter(({ completed_at }) => completed_at === null);
          if (active.length === 0) return <Text c="dimmed">{overview.noneActive}</Text>;
          return (
            <Stack gap="sm">
              {active.slice(0, MOST).map((task) => (
                <TaskRow key={task.task_id} task={task} />
              ))}
              {active.length > MOST && <Text c="dimmed">+ {active.length - MOST}</Text>}
            </Stack>
          );
        }}
      </Answer>
    </Section>
  );
}
