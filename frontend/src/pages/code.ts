import type { ComponentType } from "react";

type Code = () => Promise<{ default: ComponentType }>;

/** The code of each page but the overview, by its address. */
const CODE = {
  "/market": () => import("./market/Market"),
  "/coverage": () => import("./coverage/Coverage"),
  "/collections": () => import("./collections/Collections"),
  "/runs": () => import("./runs/Runs"),
  "/runs/:id": () => import("./runs/Run"),
  "/inventory": () => import("./inventory/Inventory"),
  "/settings": () => import("./settings/Settings"),
} satisfies Record<string, Code>;

export type PagePath = keyof typeof CODE;

export const PATHS = Object.keys(CODE) as PagePath[];

const fetched = new Map<PagePath, ComponentType>();

/** The page, if its code is here. */
export const pageOf = (path: PagePath): ComponentType | undefined => fetched.get(path);

/** The page, once its code is here. */
export async function fetchPage(path: PagePath): Promise<ComponentType> {
  const { default: Page } = await CODE[path]();
  fetched.set(path, Page);
  return Page;
}

/** Fetch the code of an address ahead of its first picture; nothing for one that has none. */
export function fetchAhead(address: string): void {
  const path = address.replace(/^(\/runs)\/.+/, "$1/:id");
  const known = PATHS.find((one) => one === path);
  // The picture itself tells of a failure.
  if (known !== undefined) void fetchPage(known).catch(() => undefined);
}
