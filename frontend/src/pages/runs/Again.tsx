import { Button } from "@mantine/core";
import { IconRepeat } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { body, client } from "../../api/client";
import { useTellFailure } from "../../parts/Failure";
import { useWords } from "../../preferences";

/** Runs an ended task again, and shows that run. */
export function Again({ taskId }: { taskId: string }) {
  const { runs } = useWords();
  const [, go] = useLocation();
  const tellFailure = useTellFailure();
  const starting = useMutation({
    mutationFn: async () =>
      body(
        await client.POST("/api/v1/data-collector/task/{task_id}/rerun", {
          params: { path: { task_id: taskId } },
        }),
      ),
    onSuccess: ({ task_id }) => go(`/runs/${task_id}`),
    onError: tellFailure,
  });
  return (
    <Button
      variant="light"
      size="xs"
      leftSection={<IconRepeat size={14} aria-hidden />}
      loading={starting.isPending}
      onClick={() => starting.mutate()}
    >
      {runs.again}
    </Button>
  );
}
