import { expect, it } from "vitest";
import type { Candle } from "../../live/socket";
import { CandleHistory, MOST_CANDLES } from "./history";

const at = (minute: number) => new Date(minute * 60_000).toISOString();

const candle = (minute: number, close = "1"): Candle => ({
  open_time: at(minute),
  close_time: at(minute + 1),
  open: "1",
  high: "1",
  low: "1",
  close,
  closed: true,
});

const candles = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => candle(from + index));

const times = (history: CandleHistory) => history.candles.map(({ open_time }) => open_time);

it("has older pages in front, and what is heard at the end, each candle once", () => {
  const history = new CandleHistory();
  history.begin({ candles: candles(10, 20), next_cursor: "before:10" });
  history.prepend({ candles: candles(5, 11), next_cursor: null });
  history.hear([candle(19, "2"), candle(20, "3")]);
  expect(times(history)).toEqual(candles(5, 21).map(({ open_time }) => open_time));
  expect(history.candles.at(-2)?.close).toBe("2");
  expect(history.older).toBeNull();
});

it("puts a late candle in its place, and leaves out one before all of them", () => {
  const history = new CandleHistory();
  history.begin({ candles: [candle(10), candle(12)], next_cursor: "before:10" });
  history.hear([candle(11), candle(3)]);
  expect(times(history)).toEqual([at(10), at(11), at(12)]);
});

it("keeps a bounded number of candles", () => {
  const history = new CandleHistory();
  history.begin({ candles: candles(MOST_CANDLES, 2 * MOST_CANDLES), next_cursor: "before" });
  history.prepend({ candles: candles(MOST_CANDLES - 5, MOST_CANDLES), next_cursor: "before" });
  expect(history.older).toBeNull();
  history.hear([candle(2 * MOST_CANDLES)]);
  expect(history.candles.length).toBe(MOST_CANDLES);
  expect(history.candles.at(-1)?.open_time).toBe(at(2 * MOST_CANDLES));
});

it("keeps what is heard while the newest page is on its way", () => {
  const history = new CandleHistory();
  history.ask();
  history.hear([candle(12, "2")]);
  history.begin({ candles: [candle(11), candle(12)], next_cursor: null });
  expect(history.candles.map(({ close }) => close)).toEqual(["1", "2"]);
});

it("begins with what is heard of a series without candles", () => {
  const history = new CandleHistory();
  history.begin({ candles: [], next_cursor: null });
  history.hear([candle(3)]);
  expect(times(history)).toEqual([at(3)]);
});
