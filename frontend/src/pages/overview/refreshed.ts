import { useCallback, useEffect } from "react";
import { clock } from "../../api/clock";
import { useNews } from "../../live/LiveProvider";
import { useReadSoon } from "../../live/readSoon";
import type { Channel, News } from "../../live/socket";
import { useTaskEnds } from "../../live/task";
import { SUMMARY, type Summary } from "./Overview";

const ALERTS: Channel = { channel: "alert" };

/** Read the summary again when something has ended, and when the next run was due. */
export function useRefreshed(summary: Summary | undefined): void {
  const readSoon = useReadSoon(SUMMARY);
  const hear = useCallback(
    (news: News) => {
      if (news.type === "alert") readSoon();
    },
    [readSoon],
  );
  useTaskEnds(readSoon);
  useNews(ALERTS, hear);
  const next = summary?.upcoming[0]?.next_run_at;
  useEffect(() => {
    if (next == null) return undefined;
    const due = setTimeout(readSoon, Math.max(0, Date.parse(next) - clock.now()));
    return () => clearTimeout(due);
  }, [next, readSoon]);
}
