import classes from "./market.module.css";

const WIDTH = 90;
const HEIGHT = 24;

/** Prices as a line between their lowest and their highest; for the eye alone. */
export function Sparkline({ values }: { values: readonly string[] }) {
  if (values.length < 2) return null;
  const numbers = values.map(Number);
  const low = Math.min(...numbers);
  const span = Math.max(...numbers) - low || 1;
  const step = WIDTH / (numbers.length - 1);
  const points = numbers.map(
    (value, at) =>
      `${(at * step).toFixed(1)},${(HEIGHT - ((value - low) / span) * HEIGHT).toFixed(1)}`,
  );
  return (
    <svg
      className={classes.spark}
      viewBox={`-1 -1 ${WIDTH + 2} ${HEIGHT + 2}`}
      width={WIDTH}
      height={HEIGHT}
      aria-hidden="true"
    >
      <polyline points={points.join(" ")} />
    </svg>
  );
}
