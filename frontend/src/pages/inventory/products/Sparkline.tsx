import classes from "../inventory.module.css";

type Props = { values: number[]; label: string };

const WIDTH = 240;
const HEIGHT = 40;
const EDGE = 3;

/** The course of a number that stays until it changes. */
export function Sparkline({ values, label }: Props) {
  const least = Math.min(...values);
  const span = Math.max(...values) - least || 1;
  const step = WIDTH / values.length;
  const heights = values.map(
    (value) => HEIGHT - EDGE - ((value - least) / span) * (HEIGHT - 2 * EDGE),
  );
  const path = heights.map((y, at) => `V${y}H${(at + 1) * step}`).join("");
  return (
    <svg
      className={classes.spark}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={label}
    >
      <path d={`M0 ${heights[0]}${path}`} />
    </svg>
  );
}
