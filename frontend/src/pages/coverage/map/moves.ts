import type { Row } from "../heat";

/** A cell of the map by its numbers. */
export type Spot = { row: number; cell: number };

/** Where the keyboard enters the map: the newest cell of the first series that lacks something. */
export function spotOf(rows: readonly Row[]): Spot {
  for (const [row, { cells }] of rows.entries()) {
    const cell = cells.findLastIndex((found) => found !== null && found.gaps > 0);
    if (cell >= 0) return { row, cell };
  }
  return { row: 0, cell: (rows[0]?.cells.length ?? 1) - 1 };
}

/** Where a key leads to; null for a key that leads nowhere. */
export function moved({ row, cell }: Spot, key: string, rows: number, cells: number): Spot | null {
  const within = (at: number, most: number) => Math.min(Math.max(at, 0), most - 1);
  switch (key) {
    case "ArrowLeft":
      return { row, cell: within(cell - 1, cells) };
    case "ArrowRight":
      return { row, cell: within(cell + 1, cells) };
    case "ArrowUp":
      return { row: within(row - 1, rows), cell };
    case "ArrowDown":
      return { row: within(row + 1, rows), cell };
    case "Home":
      return { row, cell: 0 };
    case "End":
      return { row, cell: cells - 1 };
    default:
      return null;
  }
}
