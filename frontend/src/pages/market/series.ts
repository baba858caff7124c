import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useAddress } from "../../address";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";

export type Series = { exchange: string; symbol: string; timeframe: string };
export type RecentSeries = components["schemas"]["RecentShown"];

const NAMES = ["exchange", "symbol", "timeframe"] as const;
const SEARCH = ["q"] as const;
export const ROWS = 50;

/** The series that is shown, which stands in the address; null before one is chosen. */
export function useChosen(): [Series | null, (series: Series) => void] {
  const [{ exchange = "binance", symbol, timeframe }, change] = useAddress(NAMES);
  const series = useMemo(
    () =>
      symbol === undefined || timeframe === undefined ? null : { exchange, symbol, timeframe },
    [exchange, symbol, timeframe],
  );
  return [series, change];
}

/** What names a series. */
export const keyOf = ({ exchange, symbol, timeframe }: Series): Series => ({
  exchange,
  symbol,
  timeframe,
});

/** The text that the list is searched for, which stands in the address. */
export const useSearch = () => useAddress(SEARCH);

/** A page of the series whose symbol has the text. */
export function useRecent(q: string | undefined, cursor: number) {
  return useQuery({
    queryKey: ["series", "recent", q ?? "", cursor],
    queryFn: async () => {
      const query = { limit: ROWS, cursor, ...(q === undefined ? {} : { q }) };
      return body(await client.GET("/api/v1/series/recent", { params: { query } }));
    },
    placeholderData: (before) => before,
  });
}

/** The collected timeframes of a symbol, as the service lists them. */
export function useTimeframes({ exchange, symbol }: Series) {
  return useQuery({
    queryKey: ["series", exchange, symbol],
    queryFn: async () => {
      const query = { exchange, symbol };
      return body(await client.GET("/api/v1/series", { params: { query } })).series.map(
        ({ timeframe }) => timeframe,
      );
    },
  });
}

/** The last `closes` of a series with that of a candle that came since. */
export function withClose(series: RecentSeries, newest: string, close: string): string[] {
  const { closes } = series;
  const isLater = series.newest !== null && newest > series.newest;
  return isLater ? [...closes.slice(1), close] : [...closes.slice(0, -1), close];
}
