import { useState } from "react";

export type Cursor = string | number | null;

/** The pages of a list that is read by cursors: where one is, and the ways on and back. */
export type Cursors<C extends Cursor> = {
  /** The cursor of the page shown; null for the first. */
  cursor: C | null;
  /** The number of the page shown, from 1. */
  page: number;
  next: (cursor: C) => void;
  back: () => void;
};

type Trail<C> = { list: string; cursors: C[] };

/** Pages of the list that `list` stands for, such as its filters; another one begins anew. */
export function useCursors<C extends Cursor>(list: string): Cursors<C> {
  const [kept, keep] = useState<Trail<C>>({ list, cursors: [] });
  const cursors = kept.list === list ? kept.cursors : [];
  return {
    cursor: cursors.at(-1) ?? null,
    page: cursors.length + 1,
    next: (cursor) => keep({ list, cursors: [...cursors, cursor] }),
    back: () => keep({ list, cursors: cursors.slice(0, -1) }),
  };
}
