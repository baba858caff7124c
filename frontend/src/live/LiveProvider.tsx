import { createContext, type ReactNode, useContext, useEffect, useSyncExternalStore } from "react";
import { type Channel, Live, type LiveState, type News } from "./socket";

const SOCKET = "/api/v1/ws";
/** A timer that comes so late shows that the machine has slept; the connection may be dead. */
const LOOK_MS = 5_000;
const SLEPT_MS = 20_000;

const live = new Live(SOCKET);
const LiveContext = createContext(live);

type Props = { paused: boolean; onLost: () => void; children: ReactNode };

/** Keep the connection open as long as the page is shown and not `paused`. */
export function LiveProvider({ paused, onLost, children }: Props) {
  useEffect(
    () =>
      live.watch(() => {
        if (live.state === "lost") onLost();
      }),
    [onLost],
  );
  useEffect(() => {
    if (paused) return undefined;
    live.start();
    const again = () => live.again();
    let looked = Date.now();
    const timer = setInterval(() => {
      if (Date.now() - looked > SLEPT_MS) again();
      looked = Date.now();
    }, LOOK_MS);
    window.addEventListener("online", again);
    return () => {
      clearInterval(timer);
      window.removeEventListener("online", again);
      live.stop();
    };
  }, [paused]);
  return <LiveContext.Provider value={live}>{children}</LiveContext.Provider>;
}

export function useLiveState(): LiveState {
  const connection = useContext(LiveContext);
  return useSyncExternalStore(
    (changed) => connection.watch(changed),
    () => connection.state,
  );
}

/** Hear the news of a channel, null: of none. The listener must keep its identity. */
export function useNews(channel: Channel | null, listener: (news: News) => void): void {
  const connection = useContext(LiveContext);
  const key = JSON.stringify(channel);
  useEffect(() => {
    const followed: Channel | null = JSON.parse(key);
    return followed === null ? undefined : connection.subscribe(followed, listener);
  }, [connection, key, listener]);
}
