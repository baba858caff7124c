import { useCallback, useEffect, useRef, useState } from "react";
import { body, client } from "../../api/client";
import { useNews } from "../../live/LiveProvider";
import type { Candle, News } from "../../live/socket";
import { CandleHistory, type CandlePage } from "./history";
import type { Series } from "./series";

const PAGE = 500;

export type Candles = {
  /** In the order of time; undefined before the first answer. */
  candles: readonly Candle[] | undefined;
  error: Error | null;
  /** Read the first page again. */
  retry: () => void;
  /** Read older candles; does nothing while some are on their way, or where there are none. */
  older: () => void;
  hasOlder: boolean;
};

async function pageOf(series: Series, cursor: string | null) {
  const query = { ...series, limit: PAGE, ...(cursor === null ? {} : { cursor }) };
  // It could be CSV too, which has no type.
  const answer = await client.GET("/api/v1/candles", { params: { query } });
  return body(answer as { data?: CandlePage });
}

/** The candles of a series, followed live; older ones as one asks for them. */
export function useCandles(series: Series): Candles {
  const history = useRef(new CandleHistory());
  const [shown, show] = useState<Pick<Candles, "candles" | "hasOlder">>(NOTHING);
  const [error, setError] = useState<Error | null>(null);
  const reading = useRef(false);
  const tell = useCallback(() => {
    const { begun, candles, older } = history.current;
    if (begun) show({ candles, hasOlder: older !== null });
  }, []);

  const read = useCallback(
    async (cursor: string | null) => {
      if (reading.current) return;
      reading.current = true;
      const asked = history.current;
      if (cursor === null) asked.ask();
      try {
        const page = await pageOf(series, cursor);
        if (asked !== history.current) return;
        if (cursor === null) asked.begin(page);
        else asked.prepend(page);
        setError(null);
        tell();
      } catch (failure) {
        if (asked === history.current) setError(failure as Error);
      } finally {
        if (asked === history.current) reading.current = false;
      }
    },
    [series, tell],
  );

  useEffect(() => {
    history.current = new CandleHistory();
    reading.current = false;
    setError(null);
    show(NOTHING);
    void read(null);
  }, [read]);

  useHeard(series, history, tell, () => void read(null));
  return {
    ...shown,
    error,
    retry: () => void read(null),
    older: () => {
      if (history.current.older !== null) void read(history.current.older);
    },
  };
}

const NOTHING = { candles: undefined, hasOlder: false };

/** Take in what is stored, once for each picture that the screen shows. */
function useHeard(
  series: Series,
  history: { current: CandleHistory },
  tell: () => void,
  again: () => void,
): void {
  // By when they open: a tab in the background gets no pictures, and may wait for days.
  const waiting = useRef(new Map<string, Candle>());
  const frame = useRef<number | undefined>(undefined);
  const readAgain = useRef(again);
  readAgain.current = again;
  useEffect(() => {
    waiting.current.clear();
    return () => {
      if (frame.current !== undefined) cancelAnimationFrame(frame.current);
      frame.current = undefined;
    };
  }, []);
  const hear = useCallback(
    (news: News) => {
      if (news.type === "resync") readAgain.current();
      if (news.type !== "market_data") return;
      waiting.current.set(news.candle.open_time, news.candle);
      frame.current ??= requestAnimationFrame(() => {
        frame.current = undefined;
        history.current.hear([...waiting.current.values()]);
        waiting.current.clear();
        tell();
      });
    },
    [history, tell],
  );
  useNews({ channel: "market_data", ...series }, hear);
}
