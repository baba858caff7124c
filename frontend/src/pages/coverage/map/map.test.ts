import { expect, it } from "vitest";
import { placeOf, startOf, viewOf } from "../filters";
import { type Cell, cellsAt, type Row } from "../heat";
import { kindOf, labelsOf } from "./labels";
import { moved, spotOf } from "./moves";

const cell = (share: number, reason: string | null, gaps: number) =>
  ({ complete: 100 - share, share, reason, gaps }) as Cell;

it("reads the view and the place from the address", () => {
  expect(viewOf({})).toEqual({ onlyGaps: false, unit: "day" });
  const address = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m", only_gaps: "1" };
  const { only_gaps: _, ...series } = address;
  expect(viewOf({ ...address, unit: "month" })).toEqual({
    ...series,
    onlyGaps: true,
    unit: "month",
  });
  const gap = "2026-01-15T03:00:00Z";
  expect(placeOf({ ...address, gap })).toEqual({ series, at: gap });
  expect(placeOf({ gap, series: "binance ETH/USDT 1h" })?.series.symbol).toBe("ETH/USDT");
  expect(placeOf({ gap })).toBeNull();
  expect(placeOf({ ...address, gap: "soon" })).toBeNull();
});

it("finds the start of a day and of a month in UTC, across the ends of months and years", () => {
  expect(startOf("day", "2026-01-31T23:59:59Z")).toBe("2026-01-31T00:00:00Z");
  expect(startOf("day", "2026-01-31T23:59:59Z", 1)).toBe("2026-02-01T00:00:00Z");
  expect(startOf("month", "2025-12-31T23:59:59Z")).toBe("2025-12-01T00:00:00Z");
  expect(startOf("month", "2025-12-31T23:59:59Z", 1)).toBe("2026-01-01T00:00:00Z");
  expect(startOf("month", "2026-01-01T00:00:00Z", 31)).toBe("2028-08-01T00:00:00Z");
});

it("names days and months of UTC", () => {
  const midnight = "2026-02-01T00:00:00Z";
  const days = labelsOf("en-GB", "day");
  const named = [days.whole(midnight), days.short(midnight), days.group(midnight)];
  expect(named).toEqual(["1 Feb 2026", "1", "Feb 2026"]);
  const months = labelsOf("it-IT", "month");
  const named_ = [months.whole(midnight), months.short(midnight), months.group(midnight)];
  expect(named_).toEqual(["feb 2026", "2", "2026"]);
});

it("fits the map to the screen", () => {
  expect([320, 390, 1280, 3840].map(cellsAt)).toEqual([6, 7, 31, 62]);
});

it("colours a cell for what it lacks", () => {
  const cells = [null, cell(0, null, 0), cell(0.2, null, 0), cell(5, "outage", 1)];
  expect(cells.map(kindOf)).toEqual(["blank", "whole", "not_asked", "outage"]);
});

it("is entered by keyboard at the newest gap, and left at no edge", () => {
  const whole = cell(0, null, 0);
  const rows = [
    { cells: [whole, whole, whole] },
    { cells: [cell(5, "failed", 1), cell(5, "failed", 2), whole] },
  ] as Row[];
  expect(spotOf(rows)).toEqual({ row: 1, cell: 1 });
  expect(spotOf(rows.slice(0, 1))).toEqual({ row: 0, cell: 2 });
  const from = { row: 1, cell: 0 };
  const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "a"];
  expect(keys.map((key) => moved(from, key, 2, 3))).toEqual([
    from,
    { row: 1, cell: 1 },
    { row: 0, cell: 0 },
    from,
    from,
    { row: 1, cell: 2 },
    null,
  ]);
});
