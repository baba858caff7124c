import { Stack, Text } from "@mantine/core";
import { useCallback, useState } from "react";
import { useNews } from "../../live/LiveProvider";
import type { Candle, News } from "../../live/socket";
import { Answer } from "../../parts/Answer";
import { useCursors } from "../../parts/cursors";
import { Pager } from "../../parts/Pager";
import { Search } from "../../parts/Search";
import { When } from "../../parts/When";
import { useFormat, useWords } from "../../preferences";
import { shortened } from "./Legend";
import classes from "./market.module.css";
import { Sparkline } from "./Sparkline";
import { keyOf, type RecentSeries, type Series, useRecent, useSearch, withClose } from "./series";

type Props = { chosen: Series | null; onChoose: (series: Series) => void };

/** The series that were collected, to be searched and chosen; their prices are live. */
export function SeriesList({ chosen, onChoose }: Props) {
  const { market, table } = useWords();
  const [{ q }, change] = useSearch();
  const cursors = useCursors<number>(q ?? "");
  const recent = useRecent(q, cursors.cursor ?? 0);
  return (
    <Stack gap="xs">
      <search>
        <Search
          label={market.search}
          placeholder="BTC"
          value={q ?? ""}
          onChange={(text) => change({ q: text })}
        />
      </search>
      <Answer query={recent}>
        {({ items, next_cursor }) => (
          <>
            {items.length === 0 && (
              <Text c="dimmed">{q === undefined ? market.none : table.nothing}</Text>
            )}
            <ul className={classes.list} aria-label={market.series}>
              {items.map((series) => (
                <Row
                  key={series.id}
                  series={series}
                  current={isSame(series, chosen)}
                  onChoose={onChoose}
                />
              ))}
            </ul>
            <Pager cursors={cursors} following={next_cursor} label={market.series} />
          </>
        )}
      </Answer>
    </Stack>
  );
}

const isSame = (one: Series, other: Series | null) =>
  other !== null &&
  one.exchange === other.exchange &&
  one.timeframe === other.timeframe &&
  one.symbol === other.symbol;

type RowProps = { series: RecentSeries; current: boolean; onChoose: (series: Series) => void };

function Row({ series, current, onChoose }: RowProps) {
  const { market } = useWords();
  const format = useFormat();
  const { symbol, timeframe, complete } = series;
  const newest = useNewest(series);
  const price = newest?.close ?? series.price;
  const opened = newest?.open_time ?? series.newest;
  const closes =
    newest === null ? series.closes : withClose(series, newest.open_time, newest.close);
  return (
    <li>
      <button
        type="button"
        className={classes.series}
        aria-current={current || undefined}
        data-series={`${symbol} ${timeframe}`}
        onClick={() => onChoose(keyOf(series))}
      >
        <span className={classes.line}>
          <span>
            <b>{symbol}</b> <small>{timeframe}</small>
          </span>
          <span data-price>{price === null ? "–" : shortened(price)}</span>
        </span>
        <span className={classes.line}>
          <small>
            {opened !== null && <When at={opened} />}
            {complete !== null && complete < 100 && (
              <span className={classes.incomplete}>
                {" "}
                {market.complete(format.percent(complete))}
              </span>
            )}
          </small>
          <Sparkline values={closes} />
        </span>
      </button>
    </li>
  );
}

/** The newest candle that was heard of a series; null before one was. */
function useNewest({ exchange, symbol, timeframe }: Series): Candle | null {
  const [newest, setNewest] = useState<Candle | null>(null);
  const hear = useCallback((news: News) => {
    if (news.type !== "market_data") return;
    setNewest((before) =>
      before !== null && before.open_time > news.candle.open_time ? before : news.candle,
    );
  }, []);
  useNews({ channel: "market_data", exchange, symbol, timeframe }, hear);
  return newest;
}
