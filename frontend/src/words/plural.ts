/** Chooses the singular or the plural of a noun by the rules of a language. */
export function plural(language: string): (n: number, one: string, other: string) => string {
  const rules = new Intl.PluralRules(language);
  return (n, one, other) => (rules.select(n) === "one" ? one : other);
}
