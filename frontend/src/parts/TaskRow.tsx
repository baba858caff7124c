import { ActionIcon, Group, Progress, Stack, Text } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { client } from "../api/client";
import type { Task } from "../live/socket";
import { useFormat, useWords } from "../preferences";
import { useTellFailure } from "./Failure";
import { useNow } from "./now";

/** An active task with its live progress. */
export function TaskRow({ task }: { task: Task }) {
  const { state, runs } = useWords();
  const waits = useWaiting(task);
  const cancelling = useCancelling(task);
  return (
    <Stack gap={4} data-task={task.task_id} data-status={task.status}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text size="sm" lineClamp={2}>
          {task.message}
        </Text>
        <ActionIcon
          variant="subtle"
          color="red"
          aria-label={runs.cancel(task.message)}
          loading={cancelling.isPending}
          onClick={() => cancelling.mutate()}
        >
          <IconX size={16} />
        </ActionIcon>
      </Group>
      <Progress value={task.progress} aria-label={task.message} animated />
      <Group justify="space-between" gap="xs">
        <Text size="xs" c="dimmed">
          {state[task.status]} · {task.progress} %
        </Text>
        <Text size="xs" c="dimmed">
          {waits}
        </Text>
      </Group>
    </Stack>
  );
}

/** How long it still takes, or what it waits for. */
export function useWaiting({ work, waiting }: Task): string | null {
  const { overview, waits } = useWords();
  const format = useFormat();
  const now = useNow();
  if (waiting !== null) {
    const left = format.duration(Math.max(0, (Date.parse(waiting.until) - now) / 1000));
    return overview.waiting(left, waits[waiting.reason] ?? waiting.reason);
  }
  const left = work?.seconds_left ?? null;
  return left === null ? null : overview.timeLeft(format.duration(left));
}

export function useCancelling({ task_id }: Pick<Task, "task_id">) {
  const tellFailure = useTellFailure();
  return useMutation({
    mutationFn: () =>
      client.POST("/api/v1/data-collector/task/{task_id}/cancel", {
        params: { path: { task_id } },
      }),
    onError: tellFailure,
  });
}
