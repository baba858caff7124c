import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { useNews } from "../../live/LiveProvider";
import { useReadSoon } from "../../live/readSoon";
import type { News } from "../../live/socket";
import type { Gap } from "./points";
import type { Series } from "./series";

export type Restated = components["schemas"]["RestatedCandle"];

/** The beginning of the keys of what is known of a series besides its candles. */
const MARKS = ["marks"];
const MOST = 500;
const NO_GAPS: Gap[] = [];

export type Marks = {
  gaps: readonly Gap[];
  /** The last replaced values of candles, by when they open. */
  restated: ReadonlyMap<string, Restated>;
  times: ReadonlySet<string>;
};

/** The gaps and the restated candles from a time on; at most 500 of each, the newest. */
export function useMarks(series: Series, start: string | undefined): Marks {
  const query = { ...series, limit: MOST, ...(start === undefined ? {} : { start }) };
  const enabled = start !== undefined;
  const gaps = useQuery({
    queryKey: [...MARKS, "gaps", query],
    enabled,
    queryFn: async () => body(await client.GET("/api/v1/gaps", { params: { query } })).items,
    placeholderData: (before) => before,
  }).data;
  const restatements = useQuery({
    queryKey: [...MARKS, "restated", query],
    enabled,
    queryFn: async () =>
      body(await client.GET("/api/v1/restatements", { params: { query } })).items,
    placeholderData: (before) => before,
  }).data;
  useRefreshedMarks();
  return useMemo(() => {
    // The last replaced values come first, and stay.
    const restated = new Map((restatements ?? []).toReversed().map((one) => [one.open_time, one]));
    return { gaps: gaps ?? NO_GAPS, restated, times: new Set(restated.keys()) };
  }, [gaps, restatements]);
}

/** Runs find gaps, fill them, and restate. */
function useRefreshedMarks(): void {
  const readSoon = useReadSoon(MARKS);
  const hear = useCallback(
    (news: News) => {
      if (news.type === "resync" || (news.type === "task" && news.completed_at !== null))
        readSoon();
    },
    [readSoon],
  );
  useNews({ channel: "tasks" }, hear);
}
