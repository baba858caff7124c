import type { Candle } from "../../live/socket";

export type CandlePage = { candles: Candle[]; next_cursor: string | null };

/** Candles kept in a page; one that pans further back leaves no later ones behind. */
export const MOST_CANDLES = 10_000;

/**
 * The candles of a series from some time on up to now: pages of older ones are added at the front,
 * what is heard at the end. In the order of time, each once.
 */
export class CandleHistory {
  candles: readonly Candle[] = [];
  /** The cursor of older candles; null where there are none, or where no more are kept. */
  older: string | null = null;

  /** Whether the newest page has come; what is heard before it is not enough to be shown. */
  begun = false;
  /** What is heard while the newest page is on its way, which is newer than the page. */
  private heard: Candle[] | null = null;

  /** The newest page was asked for. */
  ask(): void {
    this.heard = [];
  }

  /** The newest page, in place of all that was there when it was asked for. */
  begin({ candles, next_cursor }: CandlePage): void {
    const heard = this.heard ?? [];
    this.begun = true;
    this.heard = null;
    this.candles = candles;
    this.older = next_cursor;
    this.hear(heard);
  }

  /** A page of older candles. */
  prepend({ candles, next_cursor }: CandlePage): void {
    const first = this.candles[0]?.open_time ?? "";
    const before = candles.filter(({ open_time }) => open_time < first);
    this.candles = [...before, ...this.candles];
    this.older = this.candles.length < MOST_CANDLES ? next_cursor : null;
  }

  /** Candles that were just stored, the oldest first. */
  hear(news: readonly Candle[]): void {
    this.heard?.push(...news);
    const kept = [...this.candles];
    for (const candle of news) put(kept, candle);
    this.candles = kept.length > MOST_CANDLES ? kept.slice(-MOST_CANDLES) : kept;
  }
}

/** Put a candle in its place; nearly always it is the last one or the one after it. */
function put(candles: Candle[], candle: Candle): void {
  let at = candles.length;
  while (at > 0 && (candles[at - 1]?.open_time ?? "") > candle.open_time) at -= 1;
  if (candles[at - 1]?.open_time === candle.open_time) candles[at - 1] = candle;
  // What is older than all that is shown comes with its page.
  else if (at > 0 || candles.length === 0) candles.splice(at, 0, candle);
}
