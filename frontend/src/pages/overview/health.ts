import type { Alert } from "../../live/socket";
import type { Summary } from "./Overview";

/** What the health sentence is about, the worst first. */
export type Health =
  | { kind: "no-worker" }
  | { kind: "empty" }
  | { kind: "alerts"; count: number; first: Alert }
  | { kind: "paused"; provider: string; seconds: number }
  | { kind: "incomplete"; bad: number; total: number }
  | { kind: "healthy"; total: number };

export function healthOf(summary: Summary, alerts: readonly Alert[]): Health {
  const { series, budgets } = summary;
  if (!summary.working) return { kind: "no-worker" };
  if (series.total === 0 && summary.configs === 0 && summary.accounts === 0) {
    return { kind: "empty" };
  }
  const [first] = alerts;
  if (first !== undefined) return { kind: "alerts", count: alerts.length, first };
  const paused = budgets.find(({ pause_seconds }) => pause_seconds > 0);
  if (paused !== undefined) {
    return { kind: "paused", provider: paused.provider, seconds: paused.pause_seconds };
  }
  if (series.incomplete > 0) {
    return { kind: "incomplete", bad: series.incomplete, total: series.total };
  }
  return { kind: "healthy", total: series.total };
}

/** What can be done about an alert. */
export type Remedy =
  | { kind: "collect"; exchange: string; symbol: string; timeframe: string }
  | { kind: "show"; path: string; text: "run" | "failed" | "gaps" | "held" | "inventory" };

export function remedyOf({ rule, subject }: Alert): Remedy | null {
  switch (rule) {
    case "late_data": {
      const series = seriesOf(subject);
      return series && { kind: "collect", ...series };
    }
    case "new_gaps": {
      const series = seriesOf(subject);
      return (
        series && { kind: "show", path: `/coverage?${new URLSearchParams(series)}`, text: "gaps" }
      );
    }
    case "run_stuck":
      return { kind: "show", path: `/runs/${subject}`, text: "run" };
    case "success_rate":
    case "failed_rate":
      return { kind: "show", path: "/runs?status=failed", text: "failed" };
    case "sync_held":
      return { kind: "show", path: inventoryOf("changes", subject), text: "held" };
    case "late_inventory":
      return { kind: "show", path: inventoryOf("accounts", subject), text: "inventory" };
    default:
      return null;
  }
}

const inventoryOf = (tab: string, account: string) =>
  `/inventory?${new URLSearchParams({ tab, account })}`;

/** The series that an alert is about. */
function seriesOf(subject: string) {
  const [exchange, symbol, timeframe] = subject.split(" ");
  if (exchange === undefined || symbol === undefined || timeframe === undefined) return null;
  return { exchange, symbol, timeframe };
}
