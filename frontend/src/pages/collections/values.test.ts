import { expect, it } from "vitest";
import { bodyOf, changeOf, contentOf, emptyValues, valuesOf } from "./values";

const EVERY_TEN = {
  symbol: "SOL/USDT",
  exchange: "binance",
  timeframes: ["1m", "1h"],
  interval_minutes: 10,
  cron: null,
  timezone: null,
  enabled: false,
  description: null,
};
const EACH_NIGHT = {
  symbol: "My shop",
  exchange: "cardtrader",
  timeframes: [],
  interval_minutes: null,
  cron: "0 3 * * *",
  timezone: "Europe/Rome",
  enabled: true,
  description: "before breakfast",
};

it("gives back the config that a form was made of", () => {
  for (const config of [EVERY_TEN, EACH_NIGHT]) {
    expect(contentOf(valuesOf(config, "Europe/Berlin"), config.enabled)).toEqual(config);
  }
});

it("sends either an interval or a cron expression with its zone", () => {
  expect(bodyOf(EVERY_TEN)).toEqual({
    symbol: "SOL/USDT",
    exchange: "binance",
    enabled: false,
    timeframes: ["1m", "1h"],
    interval_minutes: 10,
  });
  expect(bodyOf(EACH_NIGHT)).toEqual({
    symbol: "My shop",
    exchange: "cardtrader",
    enabled: true,
    cron: "0 3 * * *",
    timezone: "Europe/Rome",
    description: "before breakfast",
  });
});

it("takes a description away that was deleted", () => {
  expect(changeOf(EVERY_TEN).description).toBeNull();
  expect(changeOf(EACH_NIGHT)).not.toHaveProperty("enabled");
});

it("leaves the refusal of a wrong interval to the service", () => {
  const empty = emptyValues("UTC");
  expect(contentOf({ ...empty, interval: "" }).interval_minutes).toBe(0);
  expect(contentOf({ ...empty, interval: "0.5" }).interval_minutes).toBe(0.5);
});
