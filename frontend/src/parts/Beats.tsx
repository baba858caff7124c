import { Tooltip } from "@mantine/core";
import { useState } from "react";
import type { components } from "../api/schema";
import { useFormat, useWords } from "../preferences";
import classes from "./beats.module.css";

export type Beat = components["schemas"]["BeatShown"];

type Props = { beats: Beat[]; label: string };

/** The latest executions of a job, one bar each; shaded by how many of its rows failed. */
export function Beats({ beats, label }: Props) {
  const { overview } = useWords();
  const textOf = useBeatText();
  const [pointed, point] = useState<Beat | null>(null);
  if (beats.length === 0) return <span className={classes.none}>{overview.noBeats}</span>;
  return (
    // One for all of them: a page has thousands.
    <Tooltip.Floating
      label={pointed === null ? label : textOf(pointed).join(" · ")}
      multiline
      maw={360}
    >
      <ul className={classes.row} aria-label={label}>
        {beats.map((beat) => (
          <li
            key={beat.started_at}
            aria-label={textOf(beat).join(", ")}
            className={classes.beat}
            data-state={beat.state}
            style={shadeOf(beat)}
            onPointerEnter={() => point(beat)}
          />
        ))}
      </ul>
    </Tooltip.Floating>
  );
}

function shadeOf({ state, failed, rows }: Beat) {
  return state === "partial" ? { opacity: 0.35 + (0.65 * failed) / rows } : undefined;
}

/** What became of an execution, in words. */
function useBeatText(): (beat: Beat) => string[] {
  const { state, overview } = useWords();
  const format = useFormat();
  return (beat) =>
    [
      `${format.moment(beat.started_at)}: ${state[beat.state]}`,
      beat.failed > 0 && overview.failedOf(beat.failed, beat.rows),
      overview.recordCount(format.number(beat.records)),
      beat.duration_seconds !== null && format.duration(beat.duration_seconds),
      beat.error,
    ].filter((part) => typeof part === "string");
}
