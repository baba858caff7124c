import type { QueryKey } from "@tanstack/react-query";
import type { Channel, News } from "./socket";

/** How a list of the API is kept up to date by a channel. */
export type LiveList<T> = {
  key: QueryKey;
  channel: Channel;
  fetch: () => Promise<T[]>;
  /** What news are of; undefined for others. */
  of: (news: News) => T | undefined;
  id: (item: T) => string | number;
  /** Whether an item is still shown; the others go, so that the list stays short. */
  keep?: (item: T) => boolean;
  most: number;
};

/** The list with these items in the places of older ones; new ones come first. */
export function merged<T>(list: LiveList<T>, old: readonly T[], items: readonly T[]): T[] {
  const fresh = new Map(items.map((item) => [list.id(item), item]));
  const rest = old.map((item) => {
    const id = list.id(item);
    const found = fresh.get(id) ?? item;
    fresh.delete(id);
    return found;
  });
  const all = [...[...fresh.values()].reverse(), ...rest];
  return (list.keep === undefined ? all : all.filter(list.keep)).slice(0, list.most);
}
