import { expect, it } from "vitest";
import { filtersOf } from "./filters";

const of = (text: string) => filtersOf(new URLSearchParams(text));

it("takes the filters out of the address", () => {
  expect(of("status=failed&symbol=BTC%2FUSDT&other=1")).toEqual({
    status: "failed",
    symbol: "BTC/USDT",
  });
});

it("leaves out what is empty or unknown", () => {
  expect(of("status=broken&symbol=%20&job_name=")).toEqual({});
});
