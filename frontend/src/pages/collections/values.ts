import type { components } from "../../api/schema";

type NewConfig = components["schemas"]["NewConfig"];

/** The exchange of configs that sync the inventory of an account. */
export const MARKETPLACE = "cardtrader";

export const TIMEFRAMES = [
  ...["1m", "3m", "5m", "15m", "30m"],
  ...["1h", "2h", "4h", "6h", "8h", "12h"],
  ...["1d", "3d", "1w", "1M"],
];

/** What a form holds while it is filled in. */
export type Values = {
  kind: "candles" | "inventory";
  symbol: string;
  exchange: string;
  timeframes: string[];
  timing: "interval" | "cron";
  interval: string;
  cron: string;
  timezone: string;
  description: string;
};

/** The fields of the API that the form has. */
export const FIELDS = [
  "symbol",
  "timeframes",
  "interval_minutes",
  "cron",
  "timezone",
  "description",
] as const;

/** An empty form; `here` is the time zone of the reader. */
export function emptyValues(here: string): Values {
  return {
    kind: "candles",
    symbol: "",
    exchange: "binance",
    timeframes: ["1m", "1h"],
    timing: "interval",
    interval: "10",
    cron: "0 3 * * *",
    timezone: here,
    description: "",
  };
}

type Content = Pick<
  components["schemas"]["ConfigShown"],
  | "symbol"
  | "exchange"
  | "timeframes"
  | "interval_minutes"
  | "cron"
  | "timezone"
  | "enabled"
  | "description"
>;

/** The form of a config that there is. */
export function valuesOf(config: Content, here: string): Values {
  const empty = emptyValues(here);
  return {
    kind: config.exchange === MARKETPLACE ? "inventory" : "candles",
    symbol: config.symbol,
    exchange: config.exchange,
    timeframes: config.timeframes,
    timing: config.cron === null ? "interval" : "cron",
    interval: String(config.interval_minutes ?? empty.interval),
    cron: config.cron ?? empty.cron,
    timezone: config.timezone ?? (config.cron === null ? here : "UTC"),
    description: config.description ?? "",
  };
}

/** A new config as the API takes it. */
export function bodyOf(config: Content): NewConfig {
  const { symbol, exchange, enabled, description } = config;
  return {
    symbol,
    exchange,
    enabled,
    ...(exchange === MARKETPLACE ? {} : { timeframes: config.timeframes }),
    ...(config.cron === null
      ? { interval_minutes: config.interval_minutes }
      : { cron: config.cron, timezone: config.timezone }),
    ...(description ? { description } : {}),
  };
}

/** The same for a config that there is: what is not said is taken away. */
export function changeOf(config: Content): components["schemas"]["ConfigChange"] {
  const { enabled: _, ...fields } = bodyOf(config);
  return { ...fields, description: config.description };
}

/** What the form says of a config. */
export function contentOf(values: Values, enabled = true): Content {
  const isInventory = values.kind === "inventory";
  const isCron = values.timing === "cron";
  return {
    symbol: values.symbol.trim(),
    exchange: isInventory ? MARKETPLACE : values.exchange,
    timeframes: isInventory ? [] : values.timeframes,
    // An empty field gives 0, which the service refuses in words.
    interval_minutes: isCron ? null : Number(values.interval),
    cron: isCron ? values.cron.trim() : null,
    timezone: isCron ? values.timezone.trim() : null,
    enabled,
    description: values.description.trim() || null,
  };
}
