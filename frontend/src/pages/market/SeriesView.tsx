import { Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { IconTable, IconTerminal2 } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { Failure } from "../../parts/Failure";
import { Loading } from "../../parts/Loading";
import { Section } from "../../parts/Section";
import { useFormat, useWords } from "../../preferences";
import { CandleTable } from "./CandleTable";
import { Chart } from "./Chart";
import type { ChartView } from "./chart";
import { Legend } from "./Legend";
import { useMarks } from "./marks";
import { after, secondsOf } from "./points";
import { type Series, useTimeframes } from "./series";
import { useCandles } from "./useCandles";
import { ViewAs } from "./ViewAs";

type Props = { series: Series; onChoose: (series: Series) => void };

/** A series: its candles as a chart, as a table, and as what gives them elsewhere. */
export function SeriesView({ series, onChoose }: Props) {
  const { market } = useWords();
  const [opened, setOpened] = useState<"table" | "view" | null>(null);
  const { candles, error, retry, older } = useCandles(series);
  const start = candles?.[0]?.open_time;
  const marks = useMarks(series, start);
  const view = useMemo<ChartView | null>(
    () =>
      candles === undefined
        ? null
        : { candles, gaps: marks.gaps, restated: marks.times, timeframe: series.timeframe },
    [candles, marks, series],
  );
  const name = `${series.symbol} ${series.timeframe}`;
  const toggle = (part: "table" | "view") => setOpened(opened === part ? null : part);
  return (
    <Section title={name} aside={<Timeframes series={series} onChoose={onChoose} />}>
      <Stack gap="xs">
        {error !== null && <Failure error={error} retry={retry} />}
        {view === null && error === null && <Loading lines={3} />}
        {view !== null && <Drawn view={view} name={name} marks={marks} older={older} />}
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconTable size={14} aria-hidden />}
            aria-expanded={opened === "table"}
            onClick={() => toggle("table")}
          >
            {market.table}
          </Button>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconTerminal2 size={14} aria-hidden />}
            aria-expanded={opened === "view"}
            onClick={() => toggle("view")}
          >
            {market.viewAs}
          </Button>
        </Group>
        {opened === "table" && view !== null && <CandleTable view={view} label={name} />}
        {opened === "view" && <ViewAs series={series} start={start} />}
      </Stack>
    </Section>
  );
}

function Timeframes({ series, onChoose }: Props) {
  const { market } = useWords();
  const timeframes = useTimeframes(series).data ?? [series.timeframe];
  return (
    <SegmentedControl
      size="xs"
      aria-label={market.timeframe}
      value={series.timeframe}
      onChange={(timeframe) => onChoose({ ...series, timeframe })}
      data={timeframes}
    />
  );
}

type DrawnProps = {
  view: ChartView;
  name: string;
  marks: ReturnType<typeof useMarks>;
  older: () => void;
};

/** The chart with its legend. */
function Drawn({ view, name, marks, older }: DrawnProps) {
  const { market } = useWords();
  const format = useFormat();
  const [pointed, point] = useState<number | null>(null);
  const { candles, gaps } = view;
  const [first, last] = [candles[0], candles.at(-1)];
  if (first === undefined || last === undefined) return <Text c="dimmed">{market.empty}</Text>;
  const iso = pointed === null ? null : new Date(pointed).toISOString();
  const gap = iso === null ? undefined : gaps.find(({ start, end }) => isWithin(iso, start, end));
  const candle = iso === null ? last : candleAt(view, pointed ?? 0);
  const label = market.chart(
    name,
    candles.length,
    format.moment(first.open_time),
    format.moment(last.open_time),
  );
  return (
    <div>
      <Legend
        candle={candle ?? last}
        gap={candle === undefined ? gap : undefined}
        before={marks.restated.get((candle ?? last).open_time)}
      />
      <Chart view={view} label={label} onNearOldest={older} onPoint={point} />
      {gaps.length > 0 && (
        <Text size="xs" c="dimmed">
          {market.gaps(gaps.length)}
        </Text>
      )}
    </div>
  );
}

const isWithin = (iso: string, start: string, end: string) =>
  Date.parse(start) <= Date.parse(iso) && Date.parse(iso) < Date.parse(end);

/** The candle that contains a time (ms). */
function candleAt({ candles, timeframe }: ChartView, at: number) {
  const seconds = at / 1000;
  return candles.findLast(({ open_time }) => {
    const opened = secondsOf(open_time);
    return opened <= seconds && seconds < after(opened, timeframe);
  });
}
