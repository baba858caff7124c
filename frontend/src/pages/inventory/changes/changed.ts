/** Columns that changed, each with its old and new value. */
export type Changed = Record<string, unknown[]>;

type Difference = [name: string, old: unknown, now: unknown];

/** What changed, name by name; of properties, which are JSON, those that differ. */
export function differencesOf(changes: Changed): Difference[] {
  return Object.entries(changes).flatMap(([name, [old, now]]): Difference[] => {
    const [before, after] = [propertiesOf(name, old), propertiesOf(name, now)];
    if (before === null || after === null) return [[name, old, now]];
    const names = Object.keys({ ...before, ...after });
    return names
      .filter((one) => JSON.stringify(before[one]) !== JSON.stringify(after[one]))
      .map((one) => [one, before[one] ?? null, after[one] ?? null]);
  });
}

function propertiesOf(name: string, value: unknown): Record<string, unknown> | null {
  if (name !== "properties" || typeof value !== "string") return null;
  try {
    const found: unknown = JSON.parse(value);
    return typeof found === "object" ? (found as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
