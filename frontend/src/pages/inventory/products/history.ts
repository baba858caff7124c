import type { Changed } from "../changes/changed";

/** The values that a number had, the oldest first; entries come the newest first. */
export function stepsOf(
  entries: readonly { changes: Changed }[],
  name: "price_cents" | "quantity",
): number[] {
  const pairs = entries.flatMap(({ changes }) => (changes[name] ? [changes[name]] : []));
  const oldest = pairs.at(-1);
  if (oldest === undefined) return [];
  return [oldest[0], ...pairs.reverse().map(([, now]) => now)].map(Number);
}
