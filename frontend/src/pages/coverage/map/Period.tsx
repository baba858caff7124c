import { Button, Group, Text } from "@mantine/core";
import { clock } from "../../../api/clock";
import { useWords } from "../../../preferences";
import { startOf, usePlace } from "../filters";
import type { Heat } from "../heat";
import { useLabels } from "./useLabels";

/** From when to when the map is, and the ways to what is before and after. */
export function Period({ heat }: { heat: Heat }) {
  const { coverage } = useWords();
  const labels = useLabels(heat.unit);
  const { view, change } = usePlace();
  const { unit, starts, end } = heat;
  const first = starts[0] ?? end;
  const later = startOf(unit, end, starts.length);
  const isNewest = view.end === undefined;
  const looks = { size: "compact-sm", variant: "default" } as const;
  return (
    <Group gap="xs" justify="space-between">
      <Text size="sm">
        {coverage.range(labels.whole(first), labels.whole(starts.at(-1) ?? end))}
      </Text>
      <Group gap={6}>
        <Button {...looks} disabled={Date.parse(first) <= 0} onClick={() => change({ end: first })}>
          {coverage.earlier}
        </Button>
        <Button
          {...looks}
          disabled={isNewest}
          onClick={() => change({ end: Date.parse(later) > clock.now() ? "" : later })}
        >
          {coverage.later}
        </Button>
        <Button {...looks} disabled={isNewest} onClick={() => change({ end: "" })}>
          {coverage.newest}
        </Button>
      </Group>
    </Group>
  );
}
