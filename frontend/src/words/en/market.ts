import { plural } from "../plural";

const count = plural("en");

export const market = {
  search: "Search series",
  series: "Series",
  none: "No series was collected yet.",
  complete: (percent: string) => `${percent} complete`,
  timeframe: "Timeframe",
  empty: "This series has no candles yet.",
  chart: (name: string, n: number, from: string, to: string) =>
    `Candles of ${name}: ${n} from ${from} to ${to}. The table below has the same.`,
  gaps: (n: number) => `${n} ${count(n, "gap", "gaps")} in this range, shaded.`,
  moving: "Move the chart",
  older: "Older candles",
  newer: "Newer candles",
  newest: "Newest candles",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  time: "Opens",
  open: "Open",
  high: "High",
  low: "Low",
  close: "Close",
  volume: "Volume",
  stillOpen: "still open",
  gap: (n: number, start: string) => `${n} ${count(n, "candle", "candles")} missing from ${start}:`,
  toCoverage: "Evidence and repair",
  restated: (at: string, close: string) => `Restated on ${at}; it closed at ${close} before.`,
  restatedMark: "(restated)",
  table: "Table",
  viewAs: "View as …",
  download: "Download as CSV",
  sqlText: "Run it in the database of Penstock; it works on SQLite and PostgreSQL.",
};
