import { useAddress, type Values } from "../../address";

const NAMES = [
  "tab",
  "account",
  "kind",
  "q",
  "game",
  "expansion",
  "condition",
  "language",
  "foil",
  "mapped",
  "gone",
  "sort",
  "product",
  "add",
] as const;

export const TABS = ["accounts", "products", "changes", "unmapped", "catalogue"] as const;
export type Tab = (typeof TABS)[number];

/** What the page shows, as it stands in the address; an account stands there by its name. */
export type Where = Values<(typeof NAMES)[number]>;

export const useWhere = (): [Where, (changes: Where) => void] => useAddress(NAMES);

export const tabOf = ({ tab }: Where): Tab => TABS.find((one) => one === tab) ?? "accounts";

/** The address of a part of the page. */
export function addressOf(tab: Tab, account?: string): string {
  const values = new URLSearchParams({ tab, ...(account === undefined ? {} : { account }) });
  return `/inventory?${values}`;
}
