import type { CandleColours } from "../../preferences";

export type ChartColours = {
  up: string;
  down: string;
  /** Of the volume. */
  paleUp: string;
  paleDown: string;
  gap: string;
  mark: string;
  text: string;
  line: string;
  ground: string;
};

const GREEN = "#12b886";
const RED = "#e03131";
const BLUE = "#228be6";
const ORANGE = "#e8590c";

const PAIRS: Record<CandleColours, readonly [up: string, down: string]> = {
  "green-up": [GREEN, RED],
  "red-up": [RED, GREEN],
  "blue-up": [BLUE, ORANGE],
};

const GROUNDS = {
  light: { ground: "#ffffff", text: "#495057", line: "#e9ecef", gap: "#ffe8cc", mark: "#7048e8" },
  dark: { ground: "#242424", text: "#c9c9c9", line: "#363636", gap: "#5c3a16", mark: "#b197fc" },
};

/** The colours of the chart: canvases know no CSS variables. */
export function coloursOf(candles: CandleColours, scheme: "light" | "dark"): ChartColours {
  const [up, down] = PAIRS[candles];
  return { up, down, paleUp: `${up}80`, paleDown: `${down}80`, ...GROUNDS[scheme] };
}
