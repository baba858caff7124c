import { expect, it } from "vitest";
import { Problem } from "../api/problem";
import { fieldErrors } from "./fields";

const FIELDS = ["symbol", "timeframes"];

it("puts the service's error beside the field that it names", () => {
  const error = new Problem(422, "invalid", "BTC is unknown", { field: "symbol" });
  const errors = fieldErrors(error, FIELDS);
  expect(errors.of("symbol")).toBe("BTC is unknown");
  expect(errors.of("timeframes")).toBeUndefined();
  expect(errors.rest).toBeNull();
});

it("finds the field of an item", () => {
  const error = new Problem(422, "invalid", "no timeframe", { field: "timeframes[1]" });
  expect(fieldErrors(error, FIELDS).of("timeframes")).toBe("no timeframe");
});

it("keeps what belongs to no field of the form", () => {
  const error = new Problem(409, "conflict", "it exists", { field: "exchange" });
  expect(fieldErrors(error, FIELDS).rest).toBe(error);
  expect(fieldErrors(Problem.unreachable(), FIELDS).rest?.message).toBe("");
  expect(fieldErrors(null, FIELDS).rest).toBeNull();
});
