import { expect, it } from "vitest";
import { Format } from "./format";

const english = new Format("en", "utc");
const italian = new Format("it", "utc");
const NOON = "2026-01-15T12:00:00.000Z";

it("writes lengths in one unit, rounded down", () => {
  expect(english.duration(0.04)).toBe("0s");
  expect(english.duration(3.16)).toBe("3.2s");
  expect(english.duration(59.9)).toBe("59s");
  expect(english.duration(119)).toBe("1m");
  expect(english.duration(7_199)).toBe("1h");
  expect(english.duration(200_000)).toBe("2d");
  expect(italian.duration(3.16)).toBe("3,2s");
});

it("tells times from now", () => {
  const noon = Date.parse(NOON);
  expect(english.from(NOON, noon - 42_000)).toBe("in 42 sec");
  expect(english.from(NOON, noon + 125_000)).toBe("2 min ago");
  expect(italian.from(NOON, noon - 42_000)).toBe("tra 42 sec.");
});

it("writes numbers and moments as the reader does", () => {
  expect(english.number(1_234_567.891)).toBe("1,234,567.89");
  expect(italian.number(1_234_567.891)).toBe("1.234.567,89");
  expect(english.moment(NOON)).toBe("15 Jan 2026, 12:00:00");
});

it("writes sizes in the unit that fits", () => {
  expect(english.bytes(0)).toBe("0 byte");
  expect(english.bytes(999)).toBe("999 byte");
  expect(english.bytes(61_440)).toBe("61.4 kB");
  expect(english.bytes(779_984_896)).toBe("780 MB");
  expect(italian.bytes(1_500_000_000)).toBe("1,5 GB");
});

it("writes prices in their currency, and those of a currency that is none", () => {
  expect(english.money(123_450, "EUR")).toBe("€1,234.50");
  expect(italian.money(123_450, "EUR")).toBe("1234,50\u00a0€");
  expect(english.money(1_234, "JPY")).toBe("JP¥1,234");
  expect(english.money(1_234, "coins")).toBe("12.34 coins");
});
