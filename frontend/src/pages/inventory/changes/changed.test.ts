import { expect, it } from "vitest";
import { differencesOf } from "./changed";

it("shows of the properties those that differ", () => {
  const changes = {
    price_cents: [1, 2],
    properties: ['{"condition":"Played","signed":true}', '{"condition":"Poor","mtg_foil":true}'],
  };
  expect(differencesOf(changes)).toEqual([
    ["price_cents", 1, 2],
    ["condition", "Played", "Poor"],
    ["signed", true, null],
    ["mtg_foil", null, true],
  ]);
});

it("shows properties that are no JSON as they are", () => {
  expect(differencesOf({ properties: ["{", "{}"] })).toEqual([["properties", "{", "{}"]]);
});
