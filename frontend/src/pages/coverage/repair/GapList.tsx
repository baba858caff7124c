import { Alert, Checkbox, Divider, Group, Stack, Text } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { body, client } from "../../../api/client";
import { Answer } from "../../../parts/Answer";
import { useCursors } from "../../../parts/cursors";
import { Pager } from "../../../parts/Pager";
import { useFormat, useWords } from "../../../preferences";
import classes from "../coverage.module.css";
import { nameOf, type Place, startOf } from "../filters";
import { COVERAGE, type Heat, MISSING } from "../heat";
import { kindOf } from "../map/labels";
import { useCellText, useLabels } from "../map/useLabels";
import { Evidence } from "./Evidence";
import { type Gap, type Order, orderOf, ordersOf } from "./orders";
import { Repair } from "./Repair";

type Props = { place: Place; heat: Heat };
type Range = { start: string; end: string };

const GAPS = 20;

function useGaps({ series }: Place, { start, end }: Range) {
  const cursors = useCursors<string>(`${nameOf(series)} ${start}`);
  const { cursor } = cursors;
  const { exchange, symbol, timeframe } = series;
  const after = cursor === null ? {} : { cursor };
  const query = { exchange, symbol, timeframe, start, end, limit: GAPS, ...after };
  const gaps = useQuery({
    queryKey: [...COVERAGE, "gaps", query],
    queryFn: async () => body(await client.GET("/api/v1/gaps", { params: { query } })),
    placeholderData: keepPreviousData,
  });
  return { gaps, cursors };
}

/** The gaps of a series in a day or a month, with their evidence; one or many are repaired. */
export function GapList({ place, heat }: Props) {
  const { coverage } = useWords();
  const labels = useLabels(heat.unit);
  const range = { start: startOf(heat.unit, place.at), end: startOf(heat.unit, place.at, 1) };
  const { gaps, cursors } = useGaps(place, range);
  const [picked, pick] = useState<ReadonlySet<string> | null>(null);
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Text fw={600}>{labels.whole(range.start)}</Text>
        <InMap place={place} heat={heat} start={range.start} />
      </Group>
      <Answer query={gaps} lines={3}>
        {({ items, next_cursor }) => {
          const chosen = picked ?? new Set(items.filter(isMissing).map(({ start }) => start));
          return (
            <>
              <Stack gap="sm" component="ul" m={0} p={0} style={{ listStyle: "none" }}>
                {items.map((gap) => (
                  <GapItem key={gap.start} gap={gap} chosen={chosen} pick={pick} />
                ))}
              </Stack>
              <Pager cursors={cursors} following={next_cursor} label={coverage.listed} />
              <Divider />
              <Remedy place={place} heat={heat} range={range} gaps={items} chosen={chosen} />
            </>
          );
        }}
      </Answer>
    </Stack>
  );
}

const isMissing = ({ reason }: Gap) => MISSING.includes(reason);

/** The cell as the map has it. */
function cellOf({ series }: Place, { items, starts }: Heat, start: string) {
  const row = items.find((one) => nameOf(one) === nameOf(series));
  return row?.cells[starts.indexOf(start)];
}

function InMap({ place, heat, start }: Props & { start: string }) {
  const textOf = useCellText();
  const cell = cellOf(place, heat, start);
  if (cell === undefined) return null;
  return (
    <Group gap={6} data-shown={kindOf(cell)}>
      <span className={classes.swatch} data-kind={kindOf(cell)} aria-hidden />
      <Text size="sm">{textOf(cell)}</Text>
    </Group>
  );
}

type ItemProps = {
  gap: Gap;
  chosen: ReadonlySet<string>;
  pick: (chosen: ReadonlySet<string>) => void;
};

function GapItem({ gap, chosen, pick }: ItemProps) {
  const { coverage } = useWords();
  const format = useFormat();
  const { start, end, candles, reason, evidence } = gap;
  const from = format.moment(start);
  const toggle = () => {
    const next = new Set(chosen);
    if (!next.delete(start)) next.add(start);
    pick(next);
  };
  return (
    <Group component="li" wrap="nowrap" align="start" gap="sm" data-gap={start}>
      <Checkbox
        mt={2}
        checked={chosen.has(start)}
        onChange={toggle}
        aria-label={coverage.chooseGap(from)}
      />
      <div>
        <Group gap={6}>
          <span className={classes.swatch} data-kind={reason} aria-hidden />
          <Text size="sm" fw={600}>
            {coverage.reason[reason]}, {coverage.candles(candles)}
          </Text>
        </Group>
        <Text size="sm">{coverage.range(from, format.moment(end))}</Text>
        <Text size="sm">{coverage.why[reason]}</Text>
        {evidence !== null && <Evidence evidence={evidence} />}
      </div>
    </Group>
  );
}

type RemedyProps = Props & { range: Range; gaps: Gap[]; chosen: ReadonlySet<string> };

/** What can be done about the chosen gaps, or about a range that nobody has asked for. */
function Remedy({ place, heat, range, gaps, chosen }: RemedyProps) {
  const { coverage } = useWords();
  const cell = cellOf(place, heat, range.start);
  const unasked = gaps.length === 0 && cell != null && cell.share > 0;
  const orders: Order[] = unasked
    ? [orderOf(place.series, range.start, range.end)]
    : ordersOf(gaps, chosen);
  return (
    <>
      {unasked && <Text size="sm">{coverage.notAskedWhy}</Text>}
      {gaps.length === 0 && !unasked && (
        <Alert color="teal" icon={<IconCircleCheck aria-hidden />} data-closed>
          {coverage.closed}
        </Alert>
      )}
      {gaps.length > 0 && chosen.size === 0 && <Text size="sm">{coverage.again}</Text>}
      <Repair orders={orders} />
    </>
  );
}
