import type { components } from "../api/schema";

export type Task = components["schemas"]["Task"];
export type Sync = components["schemas"]["Sync"];
export type Alert = components["schemas"]["AlertShown"];
export type Candle = components["schemas"]["CandleShown"];

export type Channel =
  | { channel: "market_data"; exchange: string; symbol: string; timeframe: string }
  | { channel: "tasks"; task_id?: string }
  | { channel: "inventory"; account_id?: number }
  | { channel: "alert" }
  | { channel: "configs" };

export type News =
  | ({ type: "task" } & Task)
  | ({ type: "inventory" } & Sync)
  | ({ type: "alert" } & Alert)
  | {
      type: "market_data";
      exchange: string;
      symbol: string;
      timeframe: string;
      candle: Candle;
      closed: boolean;
    }
  | { type: "configs" }
  | { type: "resync"; reason: string }
  | { type: "error"; code: string; field?: string; detail: string };

export type LiveState = "connecting" | "open" | "lost";
type Listener = (news: News) => void;
type Subscription = { channel: Channel; listeners: Set<Listener>; last: News | undefined };

const AGAIN_MS = [500, 10_000] as const;
/** The service refuses longer messages. */
const MOST_CHANNELS = 400;

/**
 * The connection over which the service tells what changes.
 *
 * It comes back by itself. After a break every listener hears a `resync`, then the present state.
 */
export class Live {
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private againMs: number = AGAIN_MS[0];
  private seq = 0;
  private wasOpen = false;
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly watchers = new Set<() => void>();
  private readonly url: string;
  private readonly open: (url: string) => WebSocket;
  state: LiveState = "connecting";

  constructor(url: string, open = (to: string) => new WebSocket(to)) {
    this.url = url;
    this.open = open;
  }

  start(): void {
    if (this.socket !== undefined || this.timer !== undefined) return;
    this.connect();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { socket } = this;
    this.socket = undefined;
    socket?.close();
  }

  /** Connect now, such as after the machine has slept. */
  again(): void {
    this.stop();
    this.connect();
  }

  /** Follow a channel, from what it told last; gives what ends it. */
  subscribe(channel: Channel, listener: Listener): () => void {
    const key = JSON.stringify(channel);
    const known = this.subscriptions.get(key);
    if (known === undefined) {
      this.subscriptions.set(key, { channel, listeners: new Set([listener]), last: undefined });
      this.send({ subscribe: [channel] });
    } else {
      known.listeners.add(listener);
      if (known.last !== undefined) listener(known.last);
    }
    return () => this.unsubscribe(key, listener);
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  private unsubscribe(key: string, listener: Listener): void {
    const known = this.subscriptions.get(key);
    if (known?.listeners.delete(listener) && known.listeners.size === 0) {
      this.subscriptions.delete(key);
      this.send({ unsubscribe: [known.channel] });
    }
  }

  private connect(): void {
    const socket = this.open(this.url);
    this.socket = socket;
    this.seq = 0;
    socket.onopen = () => this.opened();
    socket.onmessage = (event) => this.heard(socket, String(event.data));
    socket.onclose = () => this.closed(socket);
  }

  private opened(): void {
    this.againMs = AGAIN_MS[0];
    if (this.wasOpen) this.tellAll({ type: "resync", reason: "the connection was lost" });
    this.wasOpen = true;
    const channels = [...this.subscriptions.values()].map(({ channel }) => channel);
    for (let at = 0; at < channels.length; at += MOST_CHANNELS) {
      this.send({ subscribe: channels.slice(at, at + MOST_CHANNELS) });
    }
    this.become("open");
  }

  private heard(socket: WebSocket, text: string): void {
    if (socket !== this.socket) return;
    const { seq, ...news } = JSON.parse(text) as News & { seq: number };
    this.seq += 1;
    // Something was left out on the way: nothing that we show can be trusted.
    if (seq !== this.seq) {
      this.again();
      return;
    }
    if (news.type === "resync") this.tellAll(news);
    else this.tell(news as News);
  }

  private closed(socket: WebSocket): void {
    if (socket !== this.socket) return;
    this.socket = undefined;
    this.become("lost");
    const wait = this.againMs * (0.5 + Math.random() / 2);
    this.againMs = Math.min(2 * this.againMs, AGAIN_MS[1]);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.connect();
    }, wait);
  }

  private tell(news: News): void {
    for (const subscription of this.subscriptions.values()) {
      if (!isOf(news, subscription.channel)) continue;
      subscription.last = news;
      for (const listener of subscription.listeners) listener(news);
    }
  }

  private tellAll(news: News): void {
    for (const { listeners } of this.subscriptions.values()) {
      for (const listener of listeners) listener(news);
    }
  }

  private send(message: { subscribe: Channel[] } | { unsubscribe: Channel[] }): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  private become(state: LiveState): void {
    this.state = state;
    for (const watcher of this.watchers) watcher();
  }
}

/** Whether news belong to a channel. */
export function isOf(news: News, channel: Channel): boolean {
  switch (news.type) {
    case "task":
      return channel.channel === "tasks" && [undefined, news.task_id].includes(channel.task_id);
    case "inventory":
      return (
        channel.channel === "inventory" && [undefined, news.account_id].includes(channel.account_id)
      );
    case "alert":
    case "configs":
      return channel.channel === news.type;
    case "market_data":
      return (
        channel.channel === "market_data" &&
        channel.exchange === news.exchange &&
        channel.symbol === news.symbol &&
        channel.timeframe === news.timeframe
      );
    default:
      return false;
  }
}
