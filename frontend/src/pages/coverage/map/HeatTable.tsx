import { Text } from "@mantine/core";
import { type KeyboardEvent, memo, useId, useMemo, useState } from "react";
import { useFormat, useWords } from "../../../preferences";
import classes from "../coverage.module.css";
import { nameOf, type Place, startOf, usePlace } from "../filters";
import type { Cell, Heat, Row } from "../heat";
import { gapsOf } from "../repair/orders";
import { kindOf, type Labels } from "./labels";
import { moved, type Spot, spotOf } from "./moves";
import { useCellText, useLabels } from "./useLabels";

type Props = {
  heat: Heat;
  place: Place | null;
  open: (place: Place) => void;
  /** The map of other filters is on its way. */
  stale: boolean;
};

/** The map: a row for each series, a cell for each day or month. */
export function HeatTable({ heat, place, open, stale }: Props) {
  const { coverage } = useWords();
  const labels = useLabels(heat.unit);
  const names = useMemo(() => heat.starts.map(labels.whole), [heat.starts, labels]);
  const hint = useId();
  const [focused, focus] = useState<Spot | null>(null);
  const rows = heat.items;
  if (rows.length === 0) return <Nothing />;
  const spot = focused !== null && focused.row < rows.length ? focused : spotOf(rows);
  const openAt = ({ row, cell }: Spot) => {
    const series = rows[row];
    const at = heat.starts[cell];
    if (series !== undefined && at !== undefined) open({ series, at });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTableElement>) => {
    if (event.key === "Enter" || event.key === " ") openAt(spot);
    const next = moved(spot, event.key, rows.length, heat.starts.length);
    if (next === null && event.key !== " ") return;
    event.preventDefault();
    if (next === null) return;
    focus(next);
    cellOf(event.currentTarget, next)?.focus();
  };
  return (
    <div className={classes.scroll}>
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table can be a grid
        role="grid"
        className={classes.map}
        aria-label={coverage.map}
        aria-describedby={hint}
        data-stale={stale || undefined}
        onKeyDown={onKeyDown}
        onMouseOver={nameCell}
        onFocus={nameCell}
        onClick={({ target }) => {
          const clicked = spotAt(target);
          if (clicked === null) return;
          focus(clicked);
          openAt(clicked);
        }}
      >
        <Head starts={heat.starts} labels={labels} />
        <tbody>
          {rows.map((row, at) => (
            <SeriesRow
              key={row.id}
              row={row}
              at={at}
              starts={heat.starts}
              names={names}
              tabStop={spot.row === at ? spot.cell : null}
              chosen={chosenOf(place, row, heat)}
            />
          ))}
        </tbody>
      </table>
      <Text id={hint} size="xs" c="dimmed" visibleFrom="sm">
        {coverage.keys}
      </Text>
    </div>
  );
}

/** Only the cell in question gets a tooltip: there are thousands of them. */
function nameCell({ target }: { target: EventTarget }): void {
  if (target instanceof HTMLElement && target.dataset.cell !== undefined) {
    target.title = target.ariaLabel ?? "";
  }
}

function spotAt(target: EventTarget): Spot | null {
  const cell = target instanceof HTMLElement ? target.closest<HTMLElement>("[data-cell]") : null;
  const { row, cell: at } = cell?.dataset ?? {};
  return row === undefined || at === undefined ? null : { row: Number(row), cell: Number(at) };
}

const cellOf = (table: HTMLTableElement, { row, cell }: Spot) =>
  table.querySelector<HTMLElement>(`[data-row="${row}"][data-cell="${cell}"]`);

/** The cell whose gaps are shown; null: of another row. */
function chosenOf(place: Place | null, row: Row, { starts, unit }: Heat): number | null {
  if (place === null || nameOf(place.series) !== nameOf(row)) return null;
  return starts.indexOf(startOf(unit, place.at));
}

function Nothing() {
  const { coverage } = useWords();
  const { view } = usePlace();
  const { exchange, symbol, timeframe, reason, onlyGaps } = view;
  const isNamed = [exchange, symbol, timeframe, reason].some(Boolean);
  const text = isNamed ? coverage.noMatch : onlyGaps ? coverage.allThere : coverage.empty;
  return <Text c="dimmed">{text}</Text>;
}

const Head = memo(function Head({ starts, labels }: { starts: string[]; labels: Labels }) {
  const { coverage } = useWords();
  const groups: { name: string; cells: number }[] = [];
  for (const start of starts) {
    const name = labels.group(start);
    const last = groups.at(-1);
    if (last?.name === name) last.cells += 1;
    else groups.push({ name, cells: 1 });
  }
  return (
    <thead>
      <tr>
        <th scope="col" rowSpan={2} className={classes.name}>
          {coverage.series}
        </th>
        {groups.map(({ name, cells }) => (
          <th key={name} scope="colgroup" colSpan={cells} className={classes.group}>
            {/* A narrow group has no room for its name. */}
            {cells > 2 ? name : ""}
          </th>
        ))}
      </tr>
      <tr>
        {starts.map((start) => (
          <th key={start} scope="col" className={classes.unit}>
            {labels.short(start)}
          </th>
        ))}
      </tr>
    </thead>
  );
});

type RowProps = {
  row: Row;
  at: number;
  starts: string[];
  /** Those of the cells. */
  names: string[];
  tabStop: number | null;
  chosen: number | null;
};

const SeriesRow = memo(function SeriesRow(props: RowProps) {
  const { row, at, starts, names, tabStop, chosen } = props;
  const { coverage } = useWords();
  const format = useFormat();
  const textOf = useCellText();
  const gaps = gapsOf(row);
  const facts = [
    row.exchange,
    row.complete === null ? null : format.percent(row.complete),
    gaps > 0 ? coverage.gaps(gaps) : null,
  ];
  return (
    <tr data-series={nameOf(row)}>
      <th scope="row" className={classes.name}>
        <span className={classes.symbol}>{row.symbol}</span> {row.timeframe}
        <span className={classes.facts}>{facts.filter((fact) => fact !== null).join(" · ")}</span>
      </th>
      {starts.map((start, cell) => {
        const found = row.cells[cell] ?? null;
        const text = `${names[cell]}: ${textOf(found)}`;
        return (
          <td
            key={start}
            // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: of the grid
            role="gridcell"
            className={classes.cell}
            data-row={at}
            data-cell={cell}
            data-kind={kindOf(found)}
            style={strengthOf(found)}
            tabIndex={cell === tabStop ? 0 : -1}
            aria-selected={cell === chosen}
            aria-label={text}
          />
        );
      })}
    </tr>
  );
});

const FAINTEST = 35;

/** The more of a cell is missing, the stronger its colour; the smallest gap can be seen, too. */
function strengthOf(cell: Cell | null): React.CSSProperties | undefined {
  if (cell === null || cell.share === 0) return undefined;
  const least = cell.reason === null ? 0 : FAINTEST;
  const strength = Math.round(least + (1 - least / 100) * cell.share);
  return { "--strength": `${strength}%` } as React.CSSProperties;
}
