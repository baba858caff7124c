import type { components } from "../../../api/schema";
import type { Series } from "../filters";
import { MISSING, type Row } from "../heat";

export type Gap = components["schemas"]["GapItem"];

/** What one backfill is asked for. */
export type Order = {
  exchange: string;
  symbols: string[];
  timeframes: string[];
  start?: string;
  end?: string;
  recheck: boolean;
};

/** Whether a backfill asks for a gap without being told to look at settled ones again. */
const isOpen = ({ reason }: Gap) => MISSING.includes(reason) || reason === "not_collected";

/**
 * The backfills that fill the chosen gaps of a list.
 *
 * Chosen neighbours make one. A settled gap is one of its own, since everything between would be
 * read again with it.
 */
export function ordersOf(gaps: readonly Gap[], chosen: ReadonlySet<string>): Order[] {
  const orders: Order[] = [];
  let joins = false;
  for (const gap of gaps) {
    const wanted = chosen.has(gap.start);
    const open = isOpen(gap);
    const last = orders.at(-1);
    if (wanted && open && joins && last !== undefined) last.end = gap.end;
    else if (wanted) orders.push({ ...orderOf(gap, gap.start, gap.end), recheck: !open });
    joins = wanted && open;
  }
  return orders;
}

export function orderOf(
  { exchange, symbol, timeframe }: Series,
  start: string,
  end: string,
): Order {
  return { exchange, symbols: [symbol], timeframes: [timeframe], start, end, recheck: false };
}

export const gapsOf = ({ gaps }: Row) =>
  MISSING.reduce((sum, reason) => sum + (gaps[reason] ?? 0), 0);

/** The backfills that fill whatever is missing of these series: one for each kind of candle. */
export function ordersOfRows(rows: readonly Row[]): Order[] {
  const orders = new Map<string, Order>();
  for (const { exchange, symbol, timeframe } of rows.filter((row) => gapsOf(row) > 0)) {
    const key = `${exchange} ${timeframe}`;
    const known = orders.get(key);
    if (known !== undefined) known.symbols.push(symbol);
    else {
      orders.set(key, { exchange, symbols: [symbol], timeframes: [timeframe], recheck: false });
    }
  }
  return [...orders.values()];
}
