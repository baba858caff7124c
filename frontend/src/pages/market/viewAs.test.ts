import { expect, it } from "vitest";
import { csvPathOf, textOf } from "./viewAs";

const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1h" };
const START = "2026-01-01T00:00:00Z";
const ORIGIN = "http://127.0.0.1:8000";

it("asks for the series from the first candle on the screen", () => {
  const path =
    "/api/v1/candles?exchange=binance&symbol=BTC%2FUSDT&timeframe=1h" +
    "&start=2026-01-01T00%3A00%3A00Z&limit=5000";
  expect(textOf("curl", SERIES, START, ORIGIN)).toBe(`curl '${ORIGIN}${path}'`);
  expect(textOf("python", SERIES, START, ORIGIN)).toContain(JSON.stringify(ORIGIN + path));
  expect(csvPathOf(SERIES, START)).toBe(`${path}&format=csv`);
});

it("writes the same query for both databases", () => {
  const lines = textOf("sql", { ...SERIES, symbol: "O'X/USDT" }, START, ORIGIN).split("\n");
  expect(lines).toContain("WHERE exchange = 'binance' AND symbol = 'O''X/USDT'");
  expect(lines).toContain("  AND timestamp > '2025-12-31 23:59:59.999Z'");
});
