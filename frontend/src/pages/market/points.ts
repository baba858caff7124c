import type { components } from "../../api/schema";
import type { Candle } from "../../live/socket";

export type Gap = components["schemas"]["GapItem"];

/** Seconds since 1970, as the chart takes times. */
export const secondsOf = (iso: string) => Date.parse(iso) / 1000;

const STEPS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
/** Empty places that a gap gets on the time axis; a longer one is drawn shorter. */
const MOST_PLACES = 500;

/** The times (s) within a gap at which a candle could open, at most 500. */
export function placesOf({ start, end }: Pick<Gap, "start" | "end">, timeframe: string): number[] {
  const places: number[] = [];
  const last = secondsOf(end);
  let at = secondsOf(start);
  while (at < last && places.length < MOST_PLACES) {
    places.push(at);
    at = after(at, timeframe);
  }
  return places;
}

/** When the next candle opens (s). */
export function after(at: number, timeframe: string): number {
  const count = Number.parseInt(timeframe, 10);
  if (timeframe.endsWith("M")) {
    const then = new Date(at * 1000);
    return Date.UTC(then.getUTCFullYear(), then.getUTCMonth() + count, 1) / 1000;
  }
  return at + count * STEPS[timeframe.slice(-1) as keyof typeof STEPS];
}

/** How many decimals the prices of these candles have, zeros at the end left out. */
export function decimalsOf(candles: readonly Candle[]): number {
  const newest = candles.slice(-100);
  const lengths = newest.flatMap(({ low, close }) => [low, close].map(decimals));
  return Math.min(12, Math.max(2, ...lengths));
}

const decimals = (price: string) => (price.split(".")[1] ?? "").replace(/0+$/, "").length;

/** Candles and gaps together in the order of time, the newest first. */
export type Line = { candle: Candle } | { gap: Gap };

export function linesOf(candles: readonly Candle[], gaps: readonly Gap[]): Line[] {
  const lines: Line[] = [...candles.map((candle) => ({ candle })), ...gaps.map((gap) => ({ gap }))];
  return lines.sort((a, b) => startOf(b).localeCompare(startOf(a)));
}

const startOf = (line: Line) => ("candle" in line ? line.candle.open_time : line.gap.start);
