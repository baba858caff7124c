import { expect, it } from "vitest";
import { queryOf } from "./productQuery";

it("asks for what the address says", () => {
  const where = { q: "bolt", foil: "true", gone: "any", game: "1", sort: "-price_cents" };
  expect(queryOf(where, 2)).toEqual({
    account: 2,
    q: "bolt",
    foil: true,
    gone: "any",
    game: 1,
    sort: "-price_cents",
  });
});

it("leaves out what the service would refuse", () => {
  const where = { game: "magic", mapped: "perhaps", gone: "", sort: "token", expansion: "-1" };
  expect(queryOf(where, undefined)).toEqual({ sort: "name_en" });
});
