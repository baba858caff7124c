import { expect, it } from "vitest";
import type { Row } from "../heat";
import { type Gap, ordersOf, ordersOfRows } from "./orders";

const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" };
const at = (hour: number) => `2026-01-15T${String(hour).padStart(2, "0")}:00:00Z`;
const gap = (hour: number, reason: string) =>
  ({ ...SERIES, start: at(hour), end: at(hour + 1), reason }) as Gap;
const row = (symbol: string, timeframe: string, gaps: Row["gaps"]) =>
  ({ exchange: "binance", symbol, timeframe, gaps }) as Row;

it("makes one backfill of chosen neighbours, and others of what is apart", () => {
  const gaps = [1, 3, 5, 7].map((hour) => gap(hour, "failed"));
  const order = { exchange: "binance", symbols: ["BTC/USDT"], timeframes: ["1m"], recheck: false };
  expect(ordersOf(gaps, new Set([at(1), at(3), at(7)]))).toEqual([
    { ...order, start: at(1), end: at(4) },
    { ...order, start: at(7), end: at(8) },
  ]);
  expect(ordersOf(gaps, new Set())).toEqual([]);
});

it("asks again for a settled gap alone, so that nothing stored is read with it", () => {
  const gaps = [gap(1, "unconfirmed"), gap(3, "outage"), gap(5, "not_collected")];
  const orders = ordersOf(gaps, new Set(gaps.map(({ start }) => start)));
  expect(orders.map(({ start, end, recheck }) => [start, end, recheck])).toEqual([
    [at(1), at(2), false],
    [at(3), at(4), true],
    [at(5), at(6), false],
  ]);
});

it("repairs the series of a page by timeframe, without those that miss nothing", () => {
  const rows = [
    row("BTC/USDT", "1m", { failed: 1 }),
    row("BTC/USDT", "1h", { unconfirmed: 2, outage: 1 }),
    row("ETH/USDT", "1m", { rejected: 1 }),
    row("SOL/USDT", "1m", { outage: 1 }),
  ];
  expect(ordersOfRows(rows).map(({ symbols, timeframes }) => [symbols, timeframes])).toEqual([
    [["BTC/USDT", "ETH/USDT"], ["1m"]],
    [["BTC/USDT"], ["1h"]],
  ]);
});
