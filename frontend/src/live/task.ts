import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { body, client } from "../api/client";
import { useNews } from "./LiveProvider";
import type { News, Task } from "./socket";

const TASKS = { channel: "tasks" } as const;
const ENDED = new Set(["completed", "failed", "cancelled"]);

/** A task, live. `onNews` hears each of its steps and must keep its identity. */
export function useTask(id: string, onNews?: (task: Task) => void): UseQueryResult<Task> {
  const queries = useQueryClient();
  const task = useQuery({
    queryKey: ["task", id],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/data-collector/task/{task_id}", {
          params: { path: { task_id: id } },
        }),
      ),
  });
  const hear = useCallback(
    (news: News) => {
      if (news.type === "resync") void queries.invalidateQueries({ queryKey: ["task", id] });
      if (news.type !== "task") return;
      queries.setQueryData<Task>(["task", id], news);
      onNews?.(news);
    },
    [queries, id, onNews],
  );
  // A task that is not there cannot be followed.
  useNews(task.isSuccess ? { ...TASKS, task_id: id } : null, hear);
  return task;
}

/** Hear that any task has ended, or may have. The listener must keep its identity. */
export function useTaskEnds(listener: () => void): void {
  const hear = useCallback(
    (news: News) => {
      const isEnd = news.type === "task" && ENDED.has(news.status);
      if (isEnd || news.type === "resync") listener();
    },
    [listener],
  );
  useNews(TASKS, hear);
}
