import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { useAddress } from "../../address";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { useNews } from "../../live/LiveProvider";
import { useReadSoon } from "../../live/readSoon";
import type { Channel, News } from "../../live/socket";
import type { Beat } from "../../parts/Beats";

export type Config = components["schemas"]["ConfigShown"];

/** The beginning of the keys of what is read of configs. */
const CONFIGS = ["configs"];
const CHANGES: Channel = { channel: "configs" };
const TASKS: Channel = { channel: "tasks" };
const NAMES = ["q", "enabled"] as const;

export const ROWS = 50;

/** What the list shows, as it stands in the address. */
export const useFilters = () => useAddress(NAMES);

/** A page of the configs that the filters let through. */
export function useConfigs(skip: number) {
  const [{ q, enabled }] = useFilters();
  const query = {
    skip,
    limit: ROWS,
    ...(q === undefined ? {} : { q }),
    ...(enabled === undefined ? {} : { enabled: enabled === "true" }),
  };
  return useQuery({
    queryKey: [...CONFIGS, "page", query],
    queryFn: async () =>
      body(await client.GET("/api/v1/admin/data-collection/configs", { params: { query } })),
    placeholderData: (before) => before,
  });
}

/** The newest executions of the configs of a page, by the names of their jobs. */
export function useBeatsOf(configs: readonly Config[]) {
  const jobs = configs.map(({ job_id }) => job_id);
  return useQuery({
    queryKey: [...CONFIGS, "beats", jobs],
    enabled: jobs.length > 0,
    queryFn: async () => {
      const answer = await client.GET("/api/v1/admin/data-collection/reports/beats", {
        params: { query: { job_name: jobs } },
      });
      return new Map<string, Beat[]>(body(answer).jobs.map((job) => [job.job_name, job.beats]));
    },
    placeholderData: (before) => before,
  });
}

/** What the service collects besides the configs; null before its first start. */
export function useDefaultSchedule() {
  return useQuery({
    queryKey: [...CONFIGS, "default"],
    queryFn: async () =>
      body(await client.GET("/api/v1/data-collector/status")).scheduler_status.default_schedule,
  });
}

/** Read the configs again when they changed, here or elsewhere, and when a run has ended. */
export function useRefreshedConfigs(): void {
  const readSoon = useReadSoon(CONFIGS);
  const hear = useCallback(
    (news: News) => {
      if (news.type !== "task" || news.completed_at !== null) readSoon();
    },
    [readSoon],
  );
  useNews(CHANGES, hear);
  useNews(TASKS, hear);
}

const readAgain = (queries: QueryClient) => queries.invalidateQueries({ queryKey: CONFIGS });

/** What reads the configs again at once, after a change of our own. */
export function useReadAgain(): () => Promise<void> {
  const queries = useQueryClient();
  return useCallback(() => readAgain(queries), [queries]);
}
