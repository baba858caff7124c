import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Live, type News } from "./socket";

const TASKS = { channel: "tasks" } as const;
const SERIES = {
  channel: "market_data",
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: "1m",
} as const;

/** The other end of a socket. */
class Socket {
  readyState = 0;
  readonly sent: unknown[] = [];
  onopen: () => void = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: () => void = () => undefined;
  private seq = 0;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
    this.onclose();
  }

  accept(): void {
    this.readyState = 1;
    this.onopen();
  }

  tell(news: object, seq = this.seq + 1): void {
    this.seq = seq;
    this.onmessage({ data: JSON.stringify({ ...news, seq }) });
  }
}

describe("the live connection", () => {
  let sockets: Socket[];
  let live: Live;
  let heard: News[];
  const last = () => sockets.at(-1) as Socket;
  const listen = (news: News) => void heard.push(news);

  beforeEach(() => {
    vi.useFakeTimers();
    sockets = [];
    heard = [];
    live = new Live("ws://x", () => {
      sockets.push(new Socket());
      return last() as unknown as WebSocket;
    });
    live.start();
  });
  afterEach(() => {
    live.stop();
    vi.useRealTimers();
  });

  it("subscribes to everything when it opens", () => {
    live.subscribe(TASKS, listen);
    live.subscribe(SERIES, listen);
    expect(last().sent).toEqual([]);
    last().accept();
    expect(last().sent).toEqual([{ subscribe: [TASKS, SERIES] }]);
    expect(live.state).toBe("open");
  });

  it("tells each listener the news of its channel alone", () => {
    last().accept();
    live.subscribe(SERIES, listen);
    last().tell({ type: "task", task_id: "1" });
    last().tell({ type: "market_data", ...SERIES, channel: undefined, closed: true });
    expect(heard.map(({ type }) => type)).toEqual(["market_data"]);
  });

  it("tells a second listener what was told last, and unsubscribes after the last one", () => {
    last().accept();
    const first = live.subscribe(TASKS, () => undefined);
    last().tell({ type: "task", task_id: "1" });
    const second = live.subscribe(TASKS, listen);
    expect(heard).toHaveLength(1);
    first();
    second();
    expect(last().sent).toEqual([{ subscribe: [TASKS] }, { unsubscribe: [TASKS] }]);
  });

  it("comes back after a break, tells of it, and subscribes again", () => {
    live.subscribe(TASKS, listen);
    last().accept();
    last().close();
    expect(live.state).toBe("lost");
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    last().accept();
    expect(heard.map(({ type }) => type)).toEqual(["resync"]);
    expect(last().sent).toEqual([{ subscribe: [TASKS] }]);
  });

  it("waits longer after each failure, up to ten seconds", () => {
    for (let tries = 0; tries < 10; tries += 1) {
      last().close();
      vi.advanceTimersByTime(10_000);
    }
    const before = sockets.length;
    last().close();
    vi.advanceTimersByTime(4_999);
    expect(sockets).toHaveLength(before);
  });

  it("starts anew when a message is missing", () => {
    last().accept();
    live.subscribe(TASKS, listen);
    last().tell({ type: "task", task_id: "1" }, 2);
    expect(sockets).toHaveLength(2);
    expect(heard).toEqual([]);
  });
});
