import { useQuery } from "@tanstack/react-query";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { Answer } from "../../parts/Answer";
import { Section } from "../../parts/Section";
import { useFormat, useWords } from "../../preferences";
import { useFilters } from "./filters";
import { LOG, useRefreshedLog } from "./refreshed";
import classes from "./runs.module.css";

type Bin = components["schemas"]["TimelineBin"];

const HOURS = 24;
const BINS = 96;
const WIDTH = 960;
const HEIGHT = 72;
const STEP = WIDTH / BINS;
const KINDS = ["success", "cancelled", "running", "failed"] as const;

/** The executions of 24 hours by a quarter of an hour; a click shows those of one. */
export function Timeline() {
  const { runs } = useWords();
  useRefreshedLog();
  const timeline = useQuery({
    queryKey: [...LOG, "timeline"],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/admin/data-collection/reports/timeline", {
          params: { query: { hours: HOURS, bins: BINS } },
        }),
      ).bins,
  });
  return (
    <Section title={runs.timeline}>
      <Answer query={timeline} lines={1}>
        {(bins) => <Strip bins={bins} />}
      </Answer>
    </Section>
  );
}

function Strip({ bins }: { bins: Bin[] }) {
  const { runs } = useWords();
  const format = useFormat();
  const most = Math.max(1, ...bins.map(totalOf));
  const first = bins[0];
  const last = bins.at(-1);
  return (
    <>
      <svg className={classes.strip} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
        <title>{runs.timeline}</title>
        {bins.map((bin, at) => (
          <Column key={bin.start} bin={bin} x={at * STEP} most={most} />
        ))}
      </svg>
      <div className={classes.axis}>
        {first !== undefined && <span>{format.moment(first.start)}</span>}
        {last !== undefined && <span>{format.moment(last.end)}</span>}
      </div>
    </>
  );
}

const totalOf = (bin: Bin) => KINDS.reduce((sum, kind) => sum + bin[kind], 0);

function Column({ bin, x, most }: { bin: Bin; x: number; most: number }) {
  const { runs, state } = useWords();
  const format = useFormat();
  const [, change] = useFilters();
  const total = totalOf(bin);
  const parts = KINDS.filter((kind) => bin[kind] > 0).map((kind) => `${bin[kind]} ${state[kind]}`);
  const text = `${format.moment(bin.start)}: ${parts.join(", ") || runs.nothing}`;
  const show = () => change({ start_date: bin.start, end_date: bin.end });
  if (total === 0) return null;
  let y = HEIGHT;
  return (
    // biome-ignore lint/a11y/useSemanticElements: HTML has no button within an SVG
    <g
      role="button"
      tabIndex={0}
      aria-label={text}
      className={classes.column}
      onClick={show}
      onKeyDown={({ key }) => {
        if (key === "Enter" || key === " ") show();
      }}
    >
      <title>{text}</title>
      <rect x={x} y={0} width={STEP} height={HEIGHT} className={classes.target} />
      {KINDS.map((kind) => {
        const height = bin[kind] === 0 ? 0 : Math.max(2, (bin[kind] / most) * HEIGHT);
        y -= height;
        return (
          <rect key={kind} x={x + 1} y={y} width={STEP - 2} height={height} data-state={kind} />
        );
      })}
    </g>
  );
}
