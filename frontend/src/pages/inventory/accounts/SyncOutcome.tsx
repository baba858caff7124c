import { Anchor, Badge, Group, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import type { Sync } from "../../../live/socket";
import { StatusBadge } from "../../../parts/StatusBadge";
import { When } from "../../../parts/When";
import { useFormat, useWords } from "../../../preferences";
import { Decision } from "../changes/Decision";
import { isUndecided, KINDS, sizeOf } from "../read";
import { addressOf } from "../where";

type Props = { name: string; sync: Sync };

/** How a sync ended, and what it found. */
export function SyncOutcome({ name, sync }: Props) {
  const { inventory, overview } = useWords();
  const undecided = isUndecided(sync);
  return (
    <Stack gap="xs" data-sync={sync.state ?? sync.status}>
      <Group gap="xs">
        {sync.state === null ? (
          <StatusBadge status={sync.status} />
        ) : (
          <Badge variant="light" color={sync.state === "held" ? "orange" : "teal"}>
            {inventory.state[sync.state]}
          </Badge>
        )}
        {sync.finished_at !== null && (
          <Text size="sm" c="dimmed" component="span">
            <When at={sync.finished_at} />
          </Text>
        )}
        <Anchor size="sm" component={Link} href={`/runs/${sync.task_id}`}>
          {overview.show.run}
        </Anchor>
      </Group>
      {sync.error !== null && (
        <Text size="sm" c="red">
          {sync.error}
        </Text>
      )}
      {sync.unread !== null && <Text size="sm">{sync.unread}</Text>}
      <Counts sync={sync} />
      {undecided && <Decision name={name} sync={sync} />}
      {sizeOf(sync) > 0 && (
        <Anchor size="sm" component={Link} href={addressOf("changes", name)}>
          {undecided ? inventory.showDifference : inventory.showChanges}
        </Anchor>
      )}
    </Stack>
  );
}

const COLOURS = { new: "teal", changed: "blue", gone: "red", returned: "teal" } as const;

/** The numbers of a sync. */
export function Counts({ sync }: { sync: Sync }) {
  const { inventory } = useWords();
  const format = useFormat();
  const { counts } = sync;
  const more = (["unchanged", "rejected", "unmapped"] as const).filter((one) => counts[one] > 0);
  if (sync.state === null) return null;
  return (
    <Group gap="xs">
      {KINDS.filter((kind) => counts[kind] > 0).map((kind) => (
        <Badge key={kind} variant="light" color={COLOURS[kind]} data-count={kind} tt="none">
          {format.number(counts[kind])} {inventory.kinds[kind]}
        </Badge>
      ))}
      <Text size="xs" c="dimmed">
        {more.map((one) => `${format.number(counts[one])} ${inventory.more[one]}`).join(" · ")}
      </Text>
    </Group>
  );
}
