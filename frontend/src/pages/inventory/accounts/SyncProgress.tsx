import { Button, Group, Progress, Stack, Text } from "@mantine/core";
import type { Sync } from "../../../live/socket";
import { useCancelling } from "../../../parts/TaskRow";
import { useFormat, useWords } from "../../../preferences";

type Props = { name: string; sync: Sync };

/** A sync that goes on: its phase, how far it is, and how long it still takes. */
export function SyncProgress({ name, sync }: Props) {
  const { inventory } = useWords();
  const format = useFormat();
  const cancelling = useCancelling(sync);
  const { bytes, rows, rows_per_second: rate, eta_seconds: left } = sync;
  const told = [
    rows > 0 && inventory.progress(format.bytes(bytes), rows),
    rate > 0 && inventory.rate(format.number(Math.round(rate))),
    left !== null && inventory.left(format.duration(left)),
  ].filter(Boolean);
  return (
    <Stack gap={6} data-sync={sync.status} data-phase={sync.phase}>
      <Text size="sm" fw={500}>
        {inventory.phase[sync.phase ?? "waiting"]}
      </Text>
      <Progress value={sync.progress} aria-label={inventory.syncing(name)} animated />
      <Group justify="space-between" gap="xs">
        <Text size="xs" c="dimmed">
          {[`${sync.progress} %`, ...told].join(" · ")}
        </Text>
        <Button
          size="compact-xs"
          variant="subtle"
          color="red"
          loading={cancelling.isPending}
          onClick={() => cancelling.mutate()}
        >
          {inventory.stop}
        </Button>
      </Group>
    </Stack>
  );
}
