import { expect, it } from "vitest";
import { valuesOf } from "./address";

const NAMES = ["status", "symbol"] as const;

it("takes named values out of the address", () => {
  const address = new URLSearchParams("status=failed&symbol=BTC%2FUSDT&other=1");
  expect(valuesOf(NAMES, address)).toEqual({ status: "failed", symbol: "BTC/USDT" });
});

it("leaves out what is empty", () => {
  expect(valuesOf(NAMES, new URLSearchParams("status=&symbol=%20"))).toEqual({});
});
