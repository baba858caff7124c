import { expect, it } from "vitest";
import { Problem } from "../api/problem";
import { fieldErrors } from "./fields";

const FIELDS = ["symbol", "timeframes"];
const asIs = (_code: string, detail: string) => detail;
const errorsOf = (error: Error | null) => fieldErrors(error, FIELDS, asIs);

it("puts the service's error beside the field that it names", () => {
  const error = new Problem(422, "invalid", "symbol: BTC is unknown", { field: "symbol" });
  const errors = errorsOf(error);
  expect(errors.of("symbol")).toBe("BTC is unknown");
  expect(errors.of("timeframes")).toBeUndefined();
  expect(errors.rest).toBeNull();
});

it("finds the field of an item", () => {
  const error = new Problem(422, "invalid", "no timeframe", { field: "timeframes[1]" });
  expect(errorsOf(error).of("timeframes")).toBe("no timeframe");
});

it("keeps what belongs to no field of the form", () => {
  const error = new Problem(409, "conflict", "it exists", { field: "exchange" });
  expect(errorsOf(error).rest).toBe(error);
  expect(errorsOf(Problem.unreachable()).rest?.message).toBe("");
  expect(errorsOf(null).rest).toBeNull();
});
