import { queryOptions, type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { useNews } from "./LiveProvider";
import { type LiveList, merged } from "./merged";
import type { News } from "./socket";

/** Items that were heard while a list was on its way, which are newer than those in it. */
class Heard<T> {
  private readonly items = new Map<string | number, { at: number; item: T }>();

  add(id: string | number, item: T): void {
    const now = performance.now();
    for (const [known, { at }] of this.items) if (now - at > 60_000) this.items.delete(known);
    this.items.set(id, { at: now, item });
  }

  since(began: number): T[] {
    return [...this.items.values()].filter(({ at }) => at >= began).map(({ item }) => item);
  }
}

const heard = new Map<string, Heard<unknown>>();

function heardOf<T>(list: LiveList<T>): Heard<T> {
  const key = JSON.stringify(list.key);
  const found = (heard.get(key) as Heard<T> | undefined) ?? new Heard<T>();
  heard.set(key, found as Heard<unknown>);
  return found;
}

function optionsOf<T>(list: LiveList<T>) {
  return queryOptions({
    queryKey: list.key,
    queryFn: async () => {
      const began = performance.now();
      const found = await list.fetch();
      return merged(list, found, heardOf(list).since(began));
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A list that is read once, and then follows its channel. `list` must keep its identity. */
export function useLiveList<T>(list: LiveList<T>): UseQueryResult<T[]> {
  const queries = useQueryClient();
  const hear = useCallback(
    (news: News) => {
      if (news.type === "resync") {
        void queries.invalidateQueries({ queryKey: list.key });
        return;
      }
      const item = list.of(news);
      if (item === undefined) return;
      heardOf(list).add(list.id(item), item);
      queries.setQueryData<T[]>(list.key, (old) => old && merged(list, old, [item]));
    },
    [queries, list],
  );
  useNews(list.channel, hear);
  return useQuery(optionsOf(list));
}
