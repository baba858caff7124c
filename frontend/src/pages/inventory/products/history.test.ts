import { expect, it } from "vitest";
import { stepsOf } from "./history";

it("gives the values of a number from the oldest on", () => {
  const entries = [
    { changes: { price_cents: [120, 150] } },
    { changes: { quantity: [4, 3] } },
    { changes: { price_cents: [110, 120] } },
  ];
  expect(stepsOf(entries, "price_cents")).toEqual([110, 120, 150]);
  expect(stepsOf(entries, "quantity")).toEqual([4, 3]);
  expect(stepsOf([], "quantity")).toEqual([]);
});
