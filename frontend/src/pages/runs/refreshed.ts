import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { useNews } from "../../live/LiveProvider";
import type { Channel, News } from "../../live/socket";

/** The beginning of the keys of what is read from the execution log. */
export const LOG = ["log"];

const TASKS: Channel = { channel: "tasks" };
const PAUSE_MS = 2_000;

/** Read the execution log again when tasks have begun or ended. */
export function useRefreshedLog(): void {
  const queries = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const known = useRef(new Map<string, string>());
  const hear = useCallback(
    (news: News) => {
      if (news.type === "task") {
        if (known.current.get(news.task_id) === news.status) return;
        known.current.set(news.task_id, news.status);
        if (news.completed_at !== null) known.current.delete(news.task_id);
      }
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        void queries.invalidateQueries({ queryKey: LOG });
      }, PAUSE_MS);
    },
    [queries],
  );
  useNews(TASKS, hear);
  useEffect(() => () => clearTimeout(timer.current), []);
}
