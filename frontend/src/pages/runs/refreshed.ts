import { useCallback, useRef } from "react";
import { useNews } from "../../live/LiveProvider";
import { useReadSoon } from "../../live/readSoon";
import type { Channel, News } from "../../live/socket";

/** The beginning of the keys of what is read from the execution log. */
export const LOG = ["log"];

const TASKS: Channel = { channel: "tasks" };

/** Read the execution log again when tasks have begun or ended. */
export function useRefreshedLog(): void {
  const readSoon = useReadSoon(LOG);
  const known = useRef(new Map<string, string>());
  const hear = useCallback(
    (news: News) => {
      if (news.type === "task") {
        if (known.current.get(news.task_id) === news.status) return;
        known.current.set(news.task_id, news.status);
        if (news.completed_at !== null) known.current.delete(news.task_id);
      }
      readSoon();
    },
    [readSoon],
  );
  useNews(TASKS, hear);
}
