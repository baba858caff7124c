import { useAddress, type Values } from "../../address";

const NAMES = [
  "exchange",
  "symbol",
  "timeframe",
  "only_gaps",
  "reason",
  "unit",
  "end",
  "series",
  "gap",
  "verify",
] as const;

type Name = (typeof NAMES)[number];

export type Series = { exchange: string; symbol: string; timeframe: string };

/** A place in the map: a series, and a time in ISO 8601. */
export type Place = { series: Series; at: string };

/** What the map shows; `end`: the last cell begins before this time. */
export type View = {
  exchange?: string;
  symbol?: string;
  timeframe?: string;
  onlyGaps: boolean;
  reason?: string;
  unit: Unit;
  end?: string;
};

export type Unit = "day" | "month";

/** What stands in the address of the page, and what changes some of it. */
export function usePlace(): {
  view: View;
  place: Place | null;
  verified: string | undefined;
  change: (changes: Values<Name>) => void;
} {
  const [values, change] = useAddress(NAMES);
  return { view: viewOf(values), place: placeOf(values), verified: values.verify, change };
}

export function viewOf(values: Values<Name>): View {
  const { exchange, symbol, timeframe, reason, end } = values;
  return {
    ...(exchange === undefined ? {} : { exchange }),
    ...(symbol === undefined ? {} : { symbol }),
    ...(timeframe === undefined ? {} : { timeframe }),
    ...(reason === undefined ? {} : { reason }),
    ...(end === undefined ? {} : { end }),
    onlyGaps: values.only_gaps === "1",
    unit: values.unit === "month" ? "month" : "day",
  };
}

/** The place whose gaps are shown: of `series`, else of the one series that the filters name. */
export function placeOf(values: Values<Name>): Place | null {
  const { gap } = values;
  if (gap === undefined || Number.isNaN(Date.parse(gap))) return null;
  const [exchange, symbol, timeframe] = values.series?.split(" ") ?? [
    values.exchange,
    values.symbol,
    values.timeframe,
  ];
  if (exchange === undefined || symbol === undefined || timeframe === undefined) return null;
  return { series: { exchange, symbol, timeframe }, at: gap };
}

export const nameOf = ({ exchange, symbol, timeframe }: Series) =>
  `${exchange} ${symbol} ${timeframe}`;

/** The start of the unit that a time is in, or of the one so many units later, in UTC. */
export function startOf(unit: Unit, at: string, later = 0): string {
  const time = new Date(at);
  const [year, month, day] = [time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()];
  const start =
    unit === "day" ? Date.UTC(year, month, day + later) : Date.UTC(year, month + later, 1);
  // As the service writes it.
  return new Date(start).toISOString().replace(".000Z", "Z");
}
