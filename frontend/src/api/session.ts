import type { components } from "./schema";

export type Session = components["schemas"]["Session"];
type Listener = () => void;

/** Tells the page when the service no longer lets it in. */
class SessionEvents {
  private listeners = new Set<Listener>();

  lost(): void {
    for (const listener of this.listeners) listener();
  }

  onLost(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

export const session = new SessionEvents();

/** The one-time key in the address that `penstock serve` prints; the address forgets it. */
export function takeKey(): string | null {
  const key = new URLSearchParams(window.location.hash.slice(1)).get("key");
  if (key !== null) window.history.replaceState(null, "", window.location.pathname);
  return key;
}
