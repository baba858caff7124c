import {
  type CandlestickData,
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  type HistogramData,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  TickMarkType,
  type Time,
  type UTCTimestamp,
  type WhitespaceData,
} from "lightweight-charts";
import type { Format } from "../../format";
import type { Candle } from "../../live/socket";
import type { ChartColours } from "./colours";
import { decimalsOf, type Gap, placesOf, secondsOf } from "./points";

type Point = CandlestickData | WhitespaceData;

const utc = (seconds: number) => seconds as UTCTimestamp;

/** How far one is from the oldest candle, in candles, when older ones are asked for. */
const NEAR = 50;
const VOLUME_SHARE = 0.25;

export type ChartView = {
  candles: readonly Candle[];
  gaps: readonly Gap[];
  /** When the restated candles open. */
  restated: ReadonlySet<string>;
  timeframe: string;
};

/**
 * The candles, their volume below, and gaps as empty places with a band behind.
 *
 * Data are in UTC throughout; the zone is in the labels only, since an hour comes twice in autumn.
 */
export class CandleChart {
  private readonly chart: IChartApi;
  private readonly prices: ISeriesApi<"Candlestick">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private readonly bands: ISeriesApi<"Histogram">;
  private readonly marks;
  private drawn: ChartView | null = null;
  private colours: ChartColours;

  constructor(element: HTMLElement, colours: ChartColours, onPoint: (at: number | null) => void) {
    this.colours = colours;
    // Its logo adds a style without a nonce; the page has a link to its makers instead.
    this.chart = createChart(element, { autoSize: true, layout: { attributionLogo: false } });
    this.bands = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "bands",
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.prices = this.chart.addSeries(CandlestickSeries);
    this.volumes = this.chart.addSeries(
      HistogramSeries,
      { priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false },
      1,
    );
    this.chart.priceScale("bands").applyOptions({ scaleMargins: { top: 0, bottom: 0 } });
    this.chart.panes()[1]?.setStretchFactor(VOLUME_SHARE);
    this.marks = createSeriesMarkers(this.prices, []);
    this.chart.subscribeCrosshairMove(({ time }) => {
      onPoint(typeof time === "number" ? time * 1000 : null);
    });
    this.paint(colours);
  }

  /** Call this when one comes near the oldest candle. */
  onNearOldest(listener: () => void): void {
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < NEAR) listener();
    });
  }

  paint(colours: ChartColours): void {
    this.colours = colours;
    const { up, down, text, line, ground } = colours;
    this.chart.applyOptions({
      layout: {
        background: { color: ground },
        textColor: text,
        panes: { separatorColor: line, separatorHoverColor: line },
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
    this.prices.applyOptions({
      upColor: up,
      downColor: down,
      borderUpColor: up,
      borderDownColor: down,
      wickUpColor: up,
      wickDownColor: down,
    });
    if (this.drawn !== null) this.drawAll(this.drawn);
  }

  /** Write times in the reader's zone and language. */
  label(format: Format): void {
    this.chart.applyOptions({
      localization: {
        locale: format.locale,
        timeFormatter: (at: Time) => format.moment(isoOf(at)),
      },
      timeScale: {
        timeVisible: true,
        tickMarkFormatter: (at: Time, kind: TickMarkType) =>
          kind >= TickMarkType.Time
            ? format.time(isoOf(at))
            : format.date(isoOf(at), kind === TickMarkType.Year),
      },
    });
  }

  show(view: ChartView): void {
    const before = this.drawn;
    this.drawn = view;
    const changed = before === null ? null : changedSince(before, view);
    if (changed !== null) this.drawLast(changed);
    else this.drawAll(view);
    if (before === null && view.candles.length > 0) this.newest();
  }

  /** Move by a share of what is seen; negative to the past. */
  move(share: number): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (range === null) return;
    const by = (range.to - range.from) * share;
    this.chart.timeScale().setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
  }

  /** Show more (above 1) or fewer candles, the last of them as before. */
  zoom(factor: number): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (range === null) return;
    const from = range.to - (range.to - range.from) * factor;
    this.chart.timeScale().setVisibleLogicalRange({ from, to: range.to });
  }

  newest(): void {
    this.chart.timeScale().scrollToRealTime();
  }

  remove(): void {
    this.chart.remove();
  }

  private drawAll(view: ChartView): void {
    const { candles, gaps, restated, timeframe } = view;
    const decimals = decimalsOf(candles);
    this.prices.applyOptions({
      priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals },
    });
    const places = placesWithin(candles, gaps, timeframe);
    const points = [...candles.map(pointOf), ...places.map((at): Point => ({ time: utc(at) }))];
    this.prices.setData(points.sort((a, b) => Number(a.time) - Number(b.time)));
    this.volumes.setData(candles.map((candle) => this.volumeOf(candle)));
    this.bands.setData(
      places.map((at): HistogramData => ({ time: utc(at), value: 1, color: this.colours.gap })),
    );
    this.marks.setMarkers(
      candles
        .filter(({ open_time }) => restated.has(open_time))
        .map(({ open_time }) => ({
          time: utc(secondsOf(open_time)),
          position: "aboveBar",
          shape: "circle",
          color: this.colours.mark,
        })),
    );
  }

  private drawLast(candles: readonly Candle[]): void {
    for (const candle of candles) {
      this.prices.update(pointOf(candle));
      this.volumes.update(this.volumeOf(candle));
    }
  }

  private volumeOf(candle: Candle): HistogramData {
    const rises = Number(candle.close) >= Number(candle.open);
    return {
      time: utc(secondsOf(candle.open_time)),
      value: Number(candle.volume ?? 0),
      color: rises ? this.colours.paleUp : this.colours.paleDown,
    };
  }
}

function pointOf(candle: Candle): CandlestickData {
  return {
    time: utc(secondsOf(candle.open_time)),
    open: Number(candle.open),
    high: Number(candle.high),
    low: Number(candle.low),
    close: Number(candle.close),
  };
}

/** Empty places of the gaps between the first and the last candle; where none is stored. */
function placesWithin(candles: readonly Candle[], gaps: readonly Gap[], timeframe: string) {
  const [first, last] = [candles[0]?.open_time, candles.at(-1)?.open_time];
  if (first === undefined || last === undefined) return [];
  const stored = new Set(candles.map(({ open_time }) => secondsOf(open_time)));
  const [from, to] = [secondsOf(first), secondsOf(last)];
  const places = gaps.flatMap((gap) => placesOf(gap, timeframe));
  return [...new Set(places)]
    .filter((at) => at > from && at < to && !stored.has(at))
    .sort((a, b) => a - b);
}

/**
 * What a view has new: its last candle, and the one before where that closed as the last opened.
 * Null if it differs in more.
 */
function changedSince(before: ChartView, view: ChartView): readonly Candle[] | null {
  const added = view.candles.length - before.candles.length;
  const isNext =
    view.gaps === before.gaps &&
    view.restated === before.restated &&
    (added === 0 || added === 1) &&
    before.candles.slice(0, -1).every((candle, at) => candle === view.candles[at]);
  return isNext ? view.candles.slice(-1 - added) : null;
}

const isoOf = (at: Time) => new Date(Number(at) * 1000).toISOString();
