import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { body, client } from "../../api/client";
import { Problem } from "../../api/problem";
import type { components } from "../../api/schema";
import { useNews } from "../../live/LiveProvider";
import { useLiveList } from "../../live/list";
import type { LiveList } from "../../live/merged";
import { useReadSoon } from "../../live/readSoon";
import type { News, Sync } from "../../live/socket";

export type Account = components["schemas"]["AccountShown"];
export type Kind = components["schemas"]["DiffItem"]["kind"];

export const KINDS: readonly Kind[] = ["new", "changed", "gone", "returned"];
/** The beginning of the keys of what a published sync changes. */
export const INVENTORY = ["inventory"];
const ACCOUNTS = [...INVENTORY, "accounts"];
const EVERY = { channel: "inventory" } as const;

const accounts = queryOptions({
  queryKey: ACCOUNTS,
  queryFn: async () => body(await client.GET("/api/v1/inventory/accounts")).items,
});

export const useAccounts = () => useQuery(accounts);

/** What reads the accounts again. */
export function useReadAccounts(): () => Promise<void> {
  const queries = useQueryClient();
  return useCallback(() => queries.invalidateQueries({ queryKey: ACCOUNTS }), [queries]);
}

/** The newest sync of an account; null before the first. */
async function newestOf({ id }: Account): Promise<Sync | null> {
  try {
    const params = { path: { account_id: id } };
    return body(await client.GET("/api/v1/inventory/accounts/{account_id}/sync", { params }));
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

const syncs: LiveList<Sync> = {
  key: ["syncs"],
  channel: EVERY,
  fetch: async () => {
    const found = body(await client.GET("/api/v1/inventory/accounts")).items;
    return (await Promise.all(found.map(newestOf))).filter((sync) => sync !== null);
  },
  of: (news) => (news.type === "inventory" ? news : undefined),
  id: ({ account_id }) => account_id,
  most: 1_000,
};

/** The newest sync of each account, live. */
export const useSyncs = () => useLiveList(syncs);

/** Read what is shown again when a sync has published, or one was decided. */
export function useRefreshed(): void {
  const readSoon = useReadSoon(INVENTORY);
  const hear = useCallback(
    (news: News) => {
      if (news.type === "resync" || (news.type === "inventory" && news.state !== null)) readSoon();
    },
    [readSoon],
  );
  useNews(EVERY, hear);
}

export const isActive = ({ status }: Sync) => status === "pending" || status === "running";

/** Whether a sync keeps a difference that can be decided. */
export const isUndecided = ({ state, status }: Sync) =>
  status === "completed" && (state === "held" || state === "dry_run");

/** How many products a difference has. */
export const sizeOf = ({ counts }: Sync) => KINDS.reduce((sum, kind) => sum + counts[kind], 0);
