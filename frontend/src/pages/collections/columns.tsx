import { ActionIcon, Anchor, Box, Group, Progress, Switch, Text } from "@mantine/core";
import { IconPencil, IconPlayerPlay, IconTrash } from "@tabler/icons-react";
import { useMemo } from "react";
import { Link } from "wouter";
import { useTasks } from "../../live/lists";
import { type Beat, Beats } from "../../parts/Beats";
import type { DataColumn } from "../../parts/DataTable";
import { Due } from "../../parts/Due";
import { useWords } from "../../preferences";
import { type Action, useAction } from "./actions";
import type { Config } from "./list";
import { MARKETPLACE } from "./values";

type BeatsOf = ReadonlyMap<string, Beat[]> | undefined;

/** The columns of the table of configs. */
export function useColumns(beats: BeatsOf, onEdit: (config: Config) => void) {
  const { collections, overview } = useWords();
  return useMemo<DataColumn<Config>[]>(
    () => [
      {
        id: "symbol",
        header: collections.what,
        cell: ({ row }) => <What config={row.original} />,
      },
      {
        id: "timeframes",
        header: collections.timeframes,
        meta: { from: "md" },
        cell: ({ row }) => row.original.timeframes.join(" "),
      },
      {
        id: "when",
        header: collections.when,
        meta: { from: "sm" },
        cell: ({ row }) => <Timing config={row.original} />,
      },
      {
        id: "next",
        header: collections.next,
        meta: { from: "sm" },
        cell: ({ row }) => <Next config={row.original} />,
      },
      {
        id: "beats",
        header: collections.latest,
        meta: { from: "lg" },
        cell: ({ row }) => (
          <Beats
            beats={beats?.get(row.original.job_id) ?? []}
            label={overview.beats(row.original.symbol)}
          />
        ),
      },
      {
        id: "actions",
        header: collections.enabled,
        meta: { numbers: true },
        cell: ({ row }) => <Actions config={row.original} onEdit={onEdit} />,
      },
    ],
    [collections, overview, beats, onEdit],
  );
}

function What({ config }: { config: Config }) {
  const { symbol, exchange, description } = config;
  const address =
    exchange === MARKETPLACE
      ? "/inventory"
      : `/market?${new URLSearchParams({ exchange, symbol, timeframe: config.timeframes[0] ?? "" })}`;
  return (
    <>
      <Anchor component={Link} href={address} size="sm">
        {symbol}
      </Anchor>
      <Text size="xs" c="dimmed" lineClamp={2}>
        {exchange}
        {description !== null && ` · ${description}`}
      </Text>
      <Box hiddenFrom="sm" fz="xs">
        <Next config={config} />
      </Box>
    </>
  );
}

function Timing({ config }: { config: Config }) {
  const { collections } = useWords();
  const { interval_minutes, cron, timezone } = config;
  if (interval_minutes !== null) return collections.every(interval_minutes);
  return (
    <>
      <Text size="sm" ff="monospace">
        {cron}
      </Text>
      <Text size="xs" c="dimmed">
        {timezone}
      </Text>
    </>
  );
}

/** When it runs next, or how far its run is. */
function Next({ config }: { config: Config }) {
  const run = useTasks().data?.find(
    ({ job_name, completed_at }) => job_name === config.job_id && completed_at === null,
  );
  if (run !== undefined) {
    return (
      <Anchor component={Link} href={`/runs/${run.task_id}`} size="sm">
        {run.progress} %
        <Progress value={run.progress} size="sm" aria-label={run.message} animated />
      </Anchor>
    );
  }
  return config.next_run_at === null ? "–" : <Due at={config.next_run_at} />;
}

function Actions({ config, onEdit }: { config: Config; onEdit: (config: Config) => void }) {
  const { collections } = useWords();
  const acting = useAction();
  const act = (action: Action) => acting.mutate({ action, configs: [config] });
  const { symbol, enabled } = config;
  return (
    <Group gap={4} wrap="nowrap" justify="flex-end">
      <Switch
        aria-label={collections.switch(symbol)}
        checked={enabled}
        disabled={acting.isPending}
        onChange={() => act(enabled ? "disable" : "enable")}
      />
      <ActionIcon
        title={collections.actions.trigger}
        variant="subtle"
        aria-label={`${collections.actions.trigger}: ${symbol}`}
        onClick={() => act("trigger")}
      >
        <IconPlayerPlay size={16} />
      </ActionIcon>
      <ActionIcon
        title={collections.edit}
        variant="subtle"
        aria-label={`${collections.edit}: ${symbol}`}
        onClick={() => onEdit(config)}
      >
        <IconPencil size={16} />
      </ActionIcon>
      <ActionIcon
        title={collections.actions.delete}
        variant="subtle"
        color="red"
        aria-label={`${collections.actions.delete}: ${symbol}`}
        onClick={() => act("delete")}
      >
        <IconTrash size={16} />
      </ActionIcon>
    </Group>
  );
}
