import { expect, it } from "vitest";
import { en } from "./en";
import { it as italian } from "./it";

type Texts = { [key: string]: unknown };

/** The texts that are the same in both languages. */
function same(one: Texts, other: Texts, path = ""): string[] {
  return Object.entries(one).flatMap(([key, text]) => {
    const here = `${path}.${key}`;
    if (typeof text === "object") return same(text as Texts, other[key] as Texts, here);
    return typeof text === "string" && text === other[key] ? [here] : [];
  });
}

it("translates every text but names", () => {
  expect(same(en, italian)).toEqual([
    ".shell.menu",
    ".coverage.exchange",
    ".collections.account",
    ".runs.exchange",
    ".inventory.foilOnly",
    ".inventory.no",
    ".settings.kinds.webhook",
    ".settings.kinds.apprise",
    ".settings.database",
  ]);
});

it("counts in the plural of each language", () => {
  expect(en.overview.alerts(1)).toBe("1 alert fires.");
  expect(en.overview.alerts(2)).toBe("2 alerts fire.");
  expect(italian.overview.alerts(1)).toBe("1 avviso attivo.");
  expect(italian.overview.alerts(2)).toBe("2 avvisi attivi.");
});
