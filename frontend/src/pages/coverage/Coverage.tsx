import { Button, Group, Stack, Title } from "@mantine/core";
import { IconArrowRight, IconTool } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { Answer } from "../../parts/Answer";
import { type Cursors, useCursors } from "../../parts/cursors";
import { Pager } from "../../parts/Pager";
import { useWords } from "../../preferences";
import { FilterForm } from "./FilterForm";
import { nameOf, type Place, startOf, usePlace } from "./filters";
import { type Heat, useCells, useHeat, useRefreshedCoverage } from "./heat";
import { HeatTable } from "./map/HeatTable";
import { Legend } from "./map/Legend";
import { Period } from "./map/Period";
import { GapDrawer } from "./repair/GapDrawer";
import { useNextGap } from "./repair/nextGap";
import { ordersOfRows } from "./repair/orders";
import { PageRepair } from "./repair/PageRepair";
import { Verify } from "./Verify";

/** How complete each series is, what is missing and why, and what puts it right. */
export default function Coverage() {
  const { coverage } = useWords();
  const { view, place, change } = usePlace();
  useRefreshedCoverage();
  const cells = useCells();
  const { end: _, unit: __, ...listed } = view;
  const cursors = useCursors<number>(JSON.stringify(listed));
  const heat = useHeat(view, cells, cursors.cursor);
  useShown(place, heat.data);
  const open = ({ series, at }: Place) => change({ series: nameOf(series), gap: at });
  return (
    <Stack>
      <Heading heat={heat.data} cursors={cursors} open={open} />
      <FilterForm />
      <Answer query={heat}>
        {(found) => (
          <Stack gap="xs">
            <Period heat={found} />
            <HeatTable heat={found} place={place} open={open} stale={heat.isPlaceholderData} />
            <Pager cursors={cursors} following={found.next_cursor} label={coverage.pages} />
            <Legend />
          </Stack>
        )}
      </Answer>
      <Verify />
      <GapDrawer place={place} heat={heat.data} close={() => change({ series: "", gap: "" })} />
    </Stack>
  );
}

/** Move the map to a place that a link or the next gap leads to. */
function useShown(place: Place | null, heat: Heat | undefined): void {
  const { view, change } = usePlace();
  const first = heat?.starts[0];
  const at = place?.at;
  const unit = heat?.unit;
  const cells = heat?.starts.length ?? 0;
  useEffect(() => {
    if (at === undefined || first === undefined || heat === undefined || unit !== view.unit) return;
    const time = Date.parse(at);
    if (time >= Date.parse(first) && time < Date.parse(heat.end)) return;
    // With room for the gaps after it.
    const end = startOf(unit, at, Math.ceil((2 * cells) / 3));
    if (end !== view.end) change({ end });
  }, [at, first, heat, unit, cells, view.unit, view.end, change]);
}

type HeadingProps = {
  heat: Heat | undefined;
  cursors: Cursors<number>;
  open: (place: Place) => void;
};

function Heading({ heat, cursors, open }: HeadingProps) {
  const { coverage, pages } = useWords();
  const [repairing, setRepairing] = useState(false);
  const next = useNextGap((gap) => {
    // The list is in the order of these ids.
    const isShown = heat?.items.some(({ id }) => id === gap.series_id) ?? false;
    if (!isShown) cursors.next(gap.series_id - 1);
    open({ series: gap, at: gap.start });
  });
  const orders = heat === undefined ? [] : ordersOfRows(heat.items);
  return (
    <Group justify="space-between">
      <Title order={1}>{pages.coverage}</Title>
      <Group gap="xs">
        <Button
          size="xs"
          loading={next.isPending}
          onClick={() => next.mutate()}
          rightSection={<IconArrowRight size={16} aria-hidden />}
        >
          {coverage.nextGap}
        </Button>
        {orders.length > 0 && (
          <Button
            size="xs"
            variant="default"
            onClick={() => setRepairing(true)}
            leftSection={<IconTool size={16} aria-hidden />}
          >
            {coverage.repairPage}
          </Button>
        )}
      </Group>
      <PageRepair opened={repairing} orders={orders} close={() => setRepairing(false)} />
    </Group>
  );
}
