import type { Unit } from "../filters";
import type { Cell } from "../heat";

/** How the cells of the map are named; they are days and months of UTC, in every time zone. */
export type Labels = {
  /** Such as `14 Nov 2026`. */
  whole: (start: string) => string;
  /** Such as `14`, below its group. */
  short: (start: string) => string;
  /** Such as `Nov 2026`. */
  group: (start: string) => string;
};

export function labelsOf(locale: string, unit: Unit): Labels {
  const shown = (options: Intl.DateTimeFormatOptions) => {
    const { format } = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
    return (start: string) => format(new Date(start));
  };
  const month = { month: "short", year: "numeric" } as const;
  return unit === "day"
    ? {
        whole: shown({ day: "numeric", ...month }),
        short: shown({ day: "numeric" }),
        group: shown(month),
      }
    : {
        whole: shown(month),
        short: shown({ month: "numeric" }),
        group: shown({ year: "numeric" }),
      };
}

/** What a cell is coloured for. */
export function kindOf(cell: Cell | null): string {
  if (cell === null) return "blank";
  if (cell.share === 0) return "whole";
  return cell.reason ?? "not_asked";
}
