import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { clock } from "../../api/clock";
import { useNews } from "../../live/LiveProvider";
import type { Channel, News } from "../../live/socket";
import { SUMMARY, type Summary } from "./Overview";

const TASKS: Channel = { channel: "tasks" };
const ALERTS: Channel = { channel: "alert" };
/** Tasks often end in dozens. */
const PAUSE_MS = 1_500;
const ENDED = new Set(["completed", "failed", "cancelled"]);

/** Read the summary again when something has ended, and when the next run was due. */
export function useRefreshed(summary: Summary | undefined): void {
  const queries = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const readSoon = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void queries.invalidateQueries({ queryKey: SUMMARY });
    }, PAUSE_MS);
  }, [queries]);
  const hear = useCallback(
    (news: News) => {
      const isEnd = news.type === "task" && ENDED.has(news.status);
      if (isEnd || news.type === "alert" || news.type === "resync") readSoon();
    },
    [readSoon],
  );
  useNews(TASKS, hear);
  useNews(ALERTS, hear);
  const next = summary?.upcoming[0]?.next_run_at;
  useEffect(() => {
    if (next == null) return undefined;
    const due = setTimeout(readSoon, Math.max(0, Date.parse(next) - clock.now()));
    return () => clearTimeout(due);
  }, [next, readSoon]);
  useEffect(() => () => clearTimeout(timer.current), []);
}
