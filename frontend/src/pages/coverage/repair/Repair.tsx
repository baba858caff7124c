import { Alert, Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { IconTool } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { body, client } from "../../../api/client";
import type { components } from "../../../api/schema";
import { useTasks } from "../../../live/lists";
import { useTask } from "../../../live/task";
import { Answer } from "../../../parts/Answer";
import { Failure } from "../../../parts/Failure";
import { Outcome } from "../../../parts/outcome/Outcome";
import { TaskRow } from "../../../parts/TaskRow";
import { useFormat, useWords } from "../../../preferences";
import classes from "../coverage.module.css";
import type { Order } from "./orders";

type Estimate = components["schemas"]["BackfillEstimate"];
type Submitted = components["schemas"]["Submitted"];

const NOTHING: Estimate = { gaps: 0, candles: 0, requests: 0, share: 0, seconds: 0 };

/** Ask for a backfill. One behind a run that holds one of the series waits for it. */
async function posted(order: Order, dryRun: boolean): Promise<Estimate | Submitted> {
  const how = { newest_first: false, dry_run: dryRun, wait: !dryRun };
  return body(await client.POST("/api/v1/backfill", { body: { ...how, ...order } }));
}

/** What these backfills take together, at most. */
function useEstimate(orders: Order[]) {
  return useQuery({
    queryKey: ["repair", orders],
    enabled: orders.length > 0,
    queryFn: async () => {
      let sum = NOTHING;
      for (const order of orders) sum = added(sum, (await posted(order, true)) as Estimate);
      return sum;
    },
  });
}

function added(one: Estimate, other: Estimate): Estimate {
  return {
    gaps: one.gaps + other.gaps,
    candles: one.candles + other.candles,
    requests: one.requests + other.requests,
    share: one.share + other.share,
    seconds: one.seconds + other.seconds,
  };
}

/** Submit backfills; what is `left` after a failure can be submitted again. */
function useRepair() {
  const [tasks, setTasks] = useState<string[]>([]);
  const [left, setLeft] = useState<Order[]>([]);
  const repair = useMutation({
    mutationFn: async (orders: Order[]) => {
      for (const [at, order] of orders.entries()) {
        setLeft(orders.slice(at));
        const { task_id } = (await posted(order, false)) as Submitted;
        setTasks((old) => [...old, task_id]);
      }
    },
  });
  const all = useTasks().data ?? [];
  const isActive = all.some((task) => task.completed_at === null && tasks.includes(task.task_id));
  return { repair, tasks, left, busy: repair.isPending || isActive };
}

/** What a repair takes, the button that starts it, and how it goes. */
export function Repair({ orders }: { orders: Order[] }) {
  const { coverage } = useWords();
  const estimate = useEstimate(orders);
  const { repair, tasks, left, busy } = useRepair();
  const possible = (estimate.data?.gaps ?? 0) > 0;
  return (
    <Stack gap="sm">
      {orders.length > 0 && (
        <>
          <Answer query={estimate} lines={1}>
            {(found) => <Preview estimate={found} />}
          </Answer>
          <Group>
            <Button
              leftSection={<IconTool size={16} aria-hidden />}
              disabled={!possible}
              loading={busy}
              onClick={() => repair.mutate(orders)}
            >
              {coverage.repair}
            </Button>
          </Group>
        </>
      )}
      {repair.isError && <Failure error={repair.error} retry={() => repair.mutate(left)} />}
      {tasks.map((id) => (
        <Repairing key={id} id={id} />
      ))}
    </Stack>
  );
}

function Preview({ estimate }: { estimate: Estimate }) {
  const { coverage } = useWords();
  const format = useFormat();
  if (estimate.gaps === 0) return <Text size="sm">{coverage.nothingToDo}</Text>;
  const facts: [string, string][] = [
    [coverage.gapCount, format.number(estimate.gaps)],
    [coverage.candleCount, format.number(estimate.candles)],
    [coverage.requests, format.number(estimate.requests)],
    [coverage.share, format.percent(estimate.share)],
    [coverage.time, format.duration(estimate.seconds)],
  ];
  return (
    <div data-preview>
      <Text size="sm" fw={600}>
        {coverage.preview}
      </Text>
      <dl className={classes.estimate}>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** A repair while it goes on, and what came of it. */
function Repairing({ id }: { id: string }) {
  const { coverage } = useWords();
  return (
    <Answer query={useTask(id)} lines={1}>
      {(task) =>
        task.completed_at === null ? (
          <TaskRow task={task} />
        ) : (
          <Alert
            color={task.status === "completed" ? "teal" : "red"}
            title={task.message}
            data-repair={task.status}
          >
            {task.error !== null && <Text size="sm">{task.error}</Text>}
            <Outcome task={task} />
            <Anchor component={Link} href={`/runs/${id}`} size="sm">
              {coverage.showRun}
            </Anchor>
          </Alert>
        )
      }
    </Answer>
  );
}
