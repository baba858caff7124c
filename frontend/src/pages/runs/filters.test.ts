import { expect, it } from "vitest";
import { known } from "./filters";

it("leaves out a status that is none", () => {
  expect(known({ status: "failed", symbol: "BTC/USDT" })).toEqual({
    status: "failed",
    symbol: "BTC/USDT",
  });
  expect(known({ status: "broken", job_name: "audit" })).toEqual({ job_name: "audit" });
});
