import { ActionIcon, Anchor, Group, Text, useComputedColorScheme } from "@mantine/core";
import {
  IconArrowBarToRight,
  IconChevronLeft,
  IconChevronRight,
  IconZoomIn,
  IconZoomOut,
} from "@tabler/icons-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useFormat, usePreferences, useWords } from "../../preferences";
import { CandleChart, type ChartView } from "./chart";
import { coloursOf } from "./colours";
import classes from "./market.module.css";

type Props = {
  view: ChartView;
  label: string;
  onNearOldest: () => void;
  /** Called with the time (ms) under the pointer. */
  onPoint: (at: number | null) => void;
};

/** The chart, and the buttons by which it is moved without a pointer. */
export function Chart({ view, label, onNearOldest, onPoint }: Props) {
  const { market } = useWords();
  const [element, setElement] = useState<HTMLDivElement | null>(null);
  const chart = useChart(element, onNearOldest, onPoint);
  useEffect(() => chart?.show(view), [chart, view]);
  return (
    <>
      <div
        ref={setElement}
        className={classes.chart}
        role="img"
        aria-label={label}
        data-candles={view.candles.length}
      />
      <Group justify="space-between" gap="xs" mt={4}>
        <Group gap={4} role="toolbar" aria-label={market.moving}>
          <Move label={market.older} onClick={() => chart?.move(-0.5)}>
            <IconChevronLeft size={16} />
          </Move>
          <Move label={market.newer} onClick={() => chart?.move(0.5)}>
            <IconChevronRight size={16} />
          </Move>
          <Move label={market.zoomIn} onClick={() => chart?.zoom(0.5)}>
            <IconZoomIn size={16} />
          </Move>
          <Move label={market.zoomOut} onClick={() => chart?.zoom(2)}>
            <IconZoomOut size={16} />
          </Move>
          <Move label={market.newest} onClick={() => chart?.newest()}>
            <IconArrowBarToRight size={16} />
          </Move>
        </Group>
        <Text size="xs" c="dimmed">
          <Anchor href="https://www.tradingview.com/" target="_blank" rel="noreferrer" inherit>
            {/* Their licence asks for this line. */}
            TradingView Lightweight Charts™
          </Anchor>
        </Text>
      </Group>
    </>
  );
}

type MoveProps = { label: string; onClick: () => void; children: ReactNode };

function Move({ label, onClick, children }: MoveProps) {
  return (
    <ActionIcon variant="default" aria-label={label} title={label} onClick={onClick}>
      {children}
    </ActionIcon>
  );
}

/** The chart of an element, in the reader's colours and zone. */
function useChart(
  element: HTMLElement | null,
  onNearOldest: () => void,
  onPoint: (at: number | null) => void,
): CandleChart | null {
  const [chart, setChart] = useState<CandleChart | null>(null);
  const format = useFormat();
  const { candles } = usePreferences();
  const scheme = useComputedColorScheme("light");
  const listeners = useRef({ onNearOldest, onPoint });
  listeners.current = { onNearOldest, onPoint };
  const first = useRef(coloursOf(candles, scheme));
  useEffect(() => {
    if (element === null) return undefined;
    const made = new CandleChart(element, first.current, (at) => listeners.current.onPoint(at));
    made.onNearOldest(() => listeners.current.onNearOldest());
    setChart(made);
    return () => {
      setChart(null);
      made.remove();
    };
  }, [element]);
  useEffect(() => chart?.label(format), [chart, format]);
  useEffect(() => chart?.paint(coloursOf(candles, scheme)), [chart, candles, scheme]);
  return chart;
}
