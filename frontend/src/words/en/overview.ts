import { plural } from "../plural";

const count = plural("en");
const { format: num } = new Intl.NumberFormat("en-GB");

export const overview = {
  healthy: (n: number) =>
    n === 1 ? "The one series is up to date." : `All ${num(n)} series are up to date.`,
  onlyInventory: "Everything is up to date.",
  incomplete: (bad: number, n: number) =>
    `${num(bad)} of ${num(n)} series ${bad === 1 ? "misses" : "miss"} candles.`,
  alerts: (n: number) => `${n} ${count(n, "alert fires", "alerts fire")}.`,
  syncHeld: (name: string) => `A sync of ${name} is held: nothing is published until you decide.`,
  noWorker: "No worker is up: nothing is collected until one starts.",
  noWorkerText: "Run this on the service's machine:",
  paused: (provider: string, until: string) =>
    `${provider} accepts no requests until ${until}; what is due then goes on by itself.`,
  empty: "Nothing is collected yet.",
  collectFirst: "Collect BTC/USDT",
  addAccount: "Add a CardTrader account",
  collectNow: "Collect now",
  show: {
    run: "Show the run",
    failed: "Show failed runs",
    gaps: "Show the gaps",
    held: "Decide",
    inventory: "Show the account",
  },
  successRate: "Success rate, 24 hours",
  successText: (ok: number, failed: number) => `${num(ok)} succeeded, ${num(failed)} failed`,
  duration: "Average duration",
  durationText: (n: number) => `${num(n)} ${count(n, "execution", "executions")} in 24 hours`,
  records: "Records today",
  recordsText: "last 14 days, UTC",
  next: "Next run",
  nothingScheduled: "nothing is scheduled",
  now: "now",
  active: "Active runs",
  noneActive: "No run is active.",
  timeLeft: (left: string) => `${left} left`,
  waiting: (left: string, why: string) => `waiting ${left}: ${why}`,
  jobs: "Latest runs of each job",
  firstJobs: (shown: number, n: number) => `${shown} of ${n}, those that failed first`,
  beats: (job: string) => `Latest runs of ${job}, the newest last`,
  noBeats: "not run yet",
  upcoming: "Next runs",
  budgets: "Provider limits",
  budget: (used: number, allowed: number) => `${num(used)} of ${num(allowed)} in this minute`,
  budgetUnknown: (used: number) => `${num(used)} in this minute`,
  noBudgets: "No provider was asked yet.",
  firing: "Alerts",
  noAlerts: "No alert fires.",
  since: (ago: string) => `since ${ago}`,
  failedOf: (failed: number, rows: number) => `${failed} of ${rows} failed`,
  recordCount: (n: string) => `${n} records`,
};
