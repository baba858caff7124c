import type { Task } from "../../live/socket";
import { BackfillOutcome, type BackfillResult } from "./BackfillOutcome";
import classes from "./outcome.module.css";
import { VerifyReport, type VerifyResult } from "./VerifyReport";

/** What came of a run. */
export function Outcome({ task: { task_type, result, counters } }: { task: Task }) {
  if (result === null) return null;
  switch (task_type) {
    case "verify":
      return <VerifyReport result={result as VerifyResult} />;
    case "backfill":
      return <BackfillOutcome result={result as BackfillResult} stored={counters.inserted} />;
    default:
      return <pre className={classes.text}>{JSON.stringify(result, null, 2)}</pre>;
  }
}
