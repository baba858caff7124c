import { ActionIcon, Anchor, Group, Stack, Table, Text } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { Answer } from "../../parts/Answer";
import { StatusBadge } from "../../parts/StatusBadge";
import { When } from "../../parts/When";
import { useFormat, useWords } from "../../preferences";
import { Again } from "./Again";
import { LOG } from "./refreshed";
import classes from "./runs.module.css";

type Row = components["schemas"]["ExecutionLog"];

const COLUMNS = 8;

/** An execution; opened, with its details. */
export function LogRow({ row }: { row: Row }) {
  const { runs } = useWords();
  const format = useFormat();
  const [opened, setOpened] = useState(false);
  const Icon = opened ? IconChevronDown : IconChevronRight;
  return (
    <>
      <Table.Tr data-log={row.id}>
        <Table.Td>
          <When at={row.started_at} />
        </Table.Td>
        <Table.Td>{row.symbol ?? row.exchange ?? "–"}</Table.Td>
        <Table.Td>
          <StatusBadge status={row.status} />
        </Table.Td>
        <Table.Td visibleFrom="md">{row.job_name}</Table.Td>
        <Table.Td visibleFrom="sm">
          {row.duration_seconds === null ? "–" : format.duration(row.duration_seconds)}
        </Table.Td>
        <Table.Td visibleFrom="sm">{format.number(row.records_collected)}</Table.Td>
        <Table.Td visibleFrom="lg" className={classes.error} title={row.error_message ?? undefined}>
          {row.error_message}
        </Table.Td>
        <Table.Td>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`${runs.details}: ${row.symbol ?? row.job_name}`}
            aria-expanded={opened}
            onClick={() => setOpened(!opened)}
          >
            <Icon size={16} />
          </ActionIcon>
        </Table.Td>
      </Table.Tr>
      {opened && (
        <Table.Tr>
          <Table.Td colSpan={COLUMNS}>
            <Detail id={row.id} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

function Detail({ id }: { id: number }) {
  const { overview } = useWords();
  const detail = useQuery({
    queryKey: [...LOG, "row", id],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/admin/data-collection/execution-logs/{log_id}", {
          params: { path: { log_id: id } },
        }),
      ),
  });
  return (
    <Answer query={detail} lines={1}>
      {(row) => (
        <Stack gap="xs">
          {row.error_message !== null && <Text c="red">{row.error_message}</Text>}
          <pre className={classes.detail}>{JSON.stringify(row.metadata, null, 2)}</pre>
          {row.task_id !== null && (
            <Group>
              <Anchor component={Link} href={`/runs/${row.task_id}`}>
                {overview.show.run}
              </Anchor>
              {row.finished_at !== null && <Again taskId={row.task_id} />}
            </Group>
          )}
        </Stack>
      )}
    </Answer>
  );
}
