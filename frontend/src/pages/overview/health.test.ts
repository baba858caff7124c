import { expect, it } from "vitest";
import type { Alert } from "../../live/socket";
import { healthOf, remedyOf } from "./health";
import type { Summary } from "./Overview";

const WELL = {
  working: true,
  series: { total: 300, incomplete: 0 },
  configs: 1,
  accounts: 0,
  budgets: [],
} as unknown as Summary;
const ALERT = { rule: "late_data", subject: "binance BTC/USDT 1m", message: "late" } as Alert;

it("names the worst first", () => {
  const paused = [{ provider: "binance", used: 0, allowed: null, pause_seconds: 60 }];
  const bad = { ...WELL, budgets: paused, series: { total: 300, incomplete: 2 } };
  expect(healthOf({ ...bad, working: false }, [ALERT]).kind).toBe("no-worker");
  expect(healthOf(bad, [ALERT]).kind).toBe("alerts");
  expect(healthOf(bad, []).kind).toBe("paused");
  expect(healthOf({ ...bad, budgets: [] }, [])).toEqual({ kind: "incomplete", bad: 2, total: 300 });
  expect(healthOf(WELL, [])).toEqual({ kind: "healthy", total: 300 });
});

it("calls an installation empty that collects nothing at all", () => {
  const none = { ...WELL, series: { total: 0, incomplete: 0 }, configs: 0 };
  expect(healthOf(none, []).kind).toBe("empty");
  expect(healthOf({ ...none, accounts: 1 }, []).kind).toBe("healthy");
});

it("leads from an alert to what can be done about it", () => {
  const series = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" };
  expect(remedyOf(ALERT)).toEqual({ kind: "collect", ...series });
  const stuck = remedyOf({ ...ALERT, rule: "run_stuck", subject: "a-task" });
  expect(stuck).toEqual({ kind: "show", path: "/runs/a-task", text: "run" });
  const failed = remedyOf({ ...ALERT, rule: "success_rate", subject: "all" });
  expect(failed).toEqual({ kind: "show", path: "/runs?status=failed", text: "failed" });
  const held = remedyOf({ ...ALERT, rule: "sync_held", subject: "my shop" });
  expect(held).toEqual({
    kind: "show",
    path: "/inventory?tab=changes&account=my+shop",
    text: "held",
  });
  const gaps = remedyOf({ ...ALERT, rule: "new_gaps" });
  const path = "/coverage?exchange=binance&symbol=BTC%2FUSDT&timeframe=1m";
  expect(gaps).toEqual({ kind: "show", path, text: "gaps" });
  expect(remedyOf({ ...ALERT, rule: "restated" })).toBeNull();
});
