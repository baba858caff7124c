import { useSyncExternalStore } from "react";
import { clock } from "../api/clock";

const EVERY_MS = 1_000;

/** One timer for all that counts seconds on a page. */
class Ticker {
  private now = clock.now();
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly listeners = new Set<() => void>();

  get = (): number => this.now;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    this.timer ??= setInterval(() => this.tick(), EVERY_MS);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  };

  private tick(): void {
    this.now = clock.now();
    for (const listener of this.listeners) listener();
  }
}

const ticker = new Ticker();

/** The service's time in ms, each second anew. */
export const useNow = () => useSyncExternalStore(ticker.subscribe, ticker.get);
