import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { useReadSoon } from "../../live/readSoon";
import { useTaskEnds } from "../../live/task";
import type { View } from "./filters";

export type Heat = components["schemas"]["CoverageMap"];
export type Row = components["schemas"]["CoverageRow"];
export type Cell = components["schemas"]["CoverageCell"];
export type Reason = components["schemas"]["SpanState"];

/** The beginning of the keys of all that is read from the ledger. */
export const COVERAGE = ["coverage"];
export const ROWS = 50;
/** The reasons of gaps; candles of the first three could be there. */
export const REASONS: readonly Reason[] = [
  "failed",
  "unconfirmed",
  "rejected",
  "outage",
  "not_collected",
  "not_listed",
  "delisted",
];
export const MISSING: readonly Reason[] = REASONS.slice(0, 3);

/** A page of the map. */
export function useHeat(view: View, cells: number, cursor: number | null) {
  const { onlyGaps, ...filters } = view;
  const query = { ...filters, only_gaps: onlyGaps, cells, limit: ROWS, cursor: cursor ?? 0 };
  return useQuery({
    queryKey: [...COVERAGE, "map", query],
    queryFn: async () => body(await client.GET("/api/v1/coverage/map", { params: { query } })),
    placeholderData: keepPreviousData,
  });
}

/** Read the ledger again when a task has ended. */
export function useRefreshedCoverage(): void {
  useTaskEnds(useReadSoon(COVERAGE));
}

const BESIDE = { wide: 440, narrow: 200 } as const;
const NARROW = 768;
const CELL = 26;
const STEPS = [62, 45, 31, 21, 14] as const;
const FEWEST = 6;

/** How many cells a screen of this width has beside the names of the series. */
export function cellsAt(width: number): number {
  const room = Math.floor((width - (width < NARROW ? BESIDE.narrow : BESIDE.wide)) / CELL);
  return STEPS.find((step) => step <= room) ?? Math.max(FEWEST, room);
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("resize", changed);
  return () => window.removeEventListener("resize", changed);
}

export const useCells = () => useSyncExternalStore(subscribe, () => cellsAt(window.innerWidth));
