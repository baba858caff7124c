import type { Series } from "./series";

export type Form = "curl" | "sql" | "python" | "csv";

export const FORMS: { value: Form; label: string }[] = [
  { value: "curl", label: "curl" },
  { value: "sql", label: "SQL" },
  { value: "python", label: "Python" },
  { value: "csv", label: "CSV" },
];

const MOST = "5000";

/** The path of the candles of a series from a time on, the oldest first. */
function pathOf(series: Series, start: string | undefined, more: Record<string, string>): string {
  const query = { ...series, ...(start === undefined ? {} : { start }), limit: MOST, ...more };
  return `/api/v1/candles?${new URLSearchParams(query)}`;
}

export const csvPathOf = (series: Series, start: string | undefined) =>
  pathOf(series, start, { format: "csv" });

/** A command, a query or a script for the candles of a series from a time on. */
export function textOf(
  form: Exclude<Form, "csv">,
  series: Series,
  start: string | undefined,
  origin: string,
): string {
  const url = origin + pathOf(series, start, {});
  switch (form) {
    case "curl":
      return `curl '${url}'`;
    case "python":
      return [
        "import json, urllib.request",
        "",
        `url = ${JSON.stringify(url)}`,
        "with urllib.request.urlopen(url) as answer:",
        '    candles = json.load(answer)["candles"]',
        'print(len(candles), candles[-1]["close"])',
      ].join("\n");
    case "sql":
      return [
        "SELECT timestamp, open, high, low, close, volume",
        "FROM market_data",
        `WHERE exchange = ${quoted(series.exchange)} AND symbol = ${quoted(series.symbol)}`,
        `  AND timeframe = ${quoted(series.timeframe)}`,
        ...(start === undefined ? [] : [`  AND timestamp > ${quoted(justBefore(start))}`]),
        "ORDER BY timestamp;",
      ].join("\n");
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/**
 * A millisecond before a time. PostgreSQL reads the zone; SQLite compares the text with one that
 * has none, and no candle opens in that millisecond.
 */
const justBefore = (iso: string) => new Date(Date.parse(iso) - 1).toISOString().replace("T", " ");
