import { useMemo } from "react";
import { useFormat, useWords } from "../../../preferences";
import type { Unit } from "../filters";
import type { Cell } from "../heat";
import { type Labels, labelsOf } from "./labels";

/** How the cells of the map are named in the reader's language. */
export function useLabels(unit: Unit): Labels {
  const { locale } = useFormat();
  return useMemo(() => labelsOf(locale, unit), [locale, unit]);
}

/** What a cell says, in words. */
export function useCellText(): (cell: Cell | null) => string {
  const { coverage } = useWords();
  const format = useFormat();
  return (cell) => {
    if (cell === null) return coverage.blank;
    if (cell.share === 0) return coverage.whole;
    const reason = cell.reason === null ? coverage.notAsked : coverage.reason[cell.reason];
    return [`${reason} ${format.percent(cell.share)}`, cell.gaps > 0 && coverage.gaps(cell.gaps)]
      .filter(Boolean)
      .join(", ");
  };
}
