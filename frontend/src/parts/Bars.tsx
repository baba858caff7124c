import classes from "./bars.module.css";

type Bar = { key: string; value: number; title: string };
type Props = { bars: Bar[]; label: string };

const WIDTH = 6;
const STEP = 8;
const HEIGHT = 28;

/** A few numbers beside each other, as bars from zero. */
export function Bars({ bars, label }: Props) {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const width = bars.length * STEP;
  return (
    <svg
      className={classes.bars}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      width={width}
      height={HEIGHT}
      role="img"
      aria-label={label}
    >
      {bars.map(({ key, value, title }, at) => {
        const height = value === 0 ? 1 : Math.max(2, (value / most) * HEIGHT);
        return (
          <rect key={key} x={at * STEP} y={HEIGHT - height} width={WIDTH} height={height} rx={1}>
            <title>{title}</title>
          </rect>
        );
      })}
    </svg>
  );
}
