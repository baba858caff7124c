import { Tooltip } from "@mantine/core";
import type { components } from "../api/schema";
import { useFormat, useWords } from "../preferences";
import classes from "./beats.module.css";

export type Beat = components["schemas"]["BeatShown"];

type Props = { beats: Beat[]; label: string };

/** The latest executions of a job, one bar each; shaded by how many of its rows failed. */
export function Beats({ beats, label }: Props) {
  const { overview } = useWords();
  if (beats.length === 0) return <span className={classes.none}>{overview.noBeats}</span>;
  return (
    <ul className={classes.row} aria-label={label}>
      {beats.map((beat) => (
        <OneBeat key={beat.started_at} beat={beat} />
      ))}
    </ul>
  );
}

function OneBeat({ beat }: { beat: Beat }) {
  const { state, overview } = useWords();
  const format = useFormat();
  const told = [
    `${format.moment(beat.started_at)}: ${state[beat.state]}`,
    beat.failed > 0 && overview.failedOf(beat.failed, beat.rows),
    overview.recordCount(format.number(beat.records)),
    beat.duration_seconds !== null && format.duration(beat.duration_seconds),
    beat.error,
  ].filter(Boolean);
  const share = beat.state === "partial" ? 0.35 + (0.65 * beat.failed) / beat.rows : undefined;
  return (
    <Tooltip label={told.join(" · ")} multiline maw={360} withArrow>
      <li
        aria-label={told.join(", ")}
        className={classes.beat}
        data-state={beat.state}
        style={share === undefined ? undefined : { opacity: share }}
      />
    </Tooltip>
  );
}
