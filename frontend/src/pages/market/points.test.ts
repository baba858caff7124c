import { expect, it } from "vitest";
import { after, decimalsOf, linesOf, placesOf } from "./points";

const gap = (start: string, end: string) => ({ start, end });

it("gives each candle that a gap lacks a place", () => {
  const places = placesOf(gap("2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"), "5m");
  expect(places.map((at) => new Date(at * 1000).toISOString().slice(11, 16))).toEqual([
    "00:00",
    "00:05",
    "00:10",
  ]);
  expect(placesOf(gap("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), "1m")).toHaveLength(500);
});

it("steps by months of their own lengths", () => {
  const january = Date.UTC(2026, 0, 1) / 1000;
  expect(after(january, "1M")).toBe(Date.UTC(2026, 1, 1) / 1000);
  expect(after(january, "1w")).toBe(january + 604_800);
});

const candle = (open_time: string, close: string) => ({
  open_time,
  close_time: open_time,
  open: close,
  high: close,
  low: close,
  close,
  closed: true,
});

it("shows prices with the decimals that they have", () => {
  expect(decimalsOf([candle("", "68250.01000000")])).toBe(2);
  expect(decimalsOf([candle("", "0.00001230")])).toBe(7);
  expect(decimalsOf([candle("", "12")])).toBe(2);
  expect(decimalsOf([])).toBe(2);
});

it("puts gaps between the candles", () => {
  const missing = {
    series_id: 1,
    exchange: "binance",
    symbol: "BTC/USDT",
    timeframe: "1h",
    price: "last",
    start: "2026-01-01T01:00:00Z",
    end: "2026-01-01T02:00:00Z",
    candles: 1,
    reason: "outage" as const,
    sentence: "",
    evidence: null,
  };
  const lines = linesOf(
    [candle("2026-01-01T00:00:00Z", "1"), candle("2026-01-01T02:00:00Z", "1")],
    [missing],
  );
  expect(
    lines.map((line) => ("gap" in line ? "gap" : line.candle.open_time.slice(11, 13))),
  ).toEqual(["02", "gap", "00"]);
});
