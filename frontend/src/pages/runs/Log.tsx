import { Button, Group, Table, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { client } from "../../api/client";
import type { components } from "../../api/schema";
import { Failure } from "../../parts/Failure";
import { Loading } from "../../parts/Loading";
import { useWords } from "../../preferences";
import { type Filters, useFilters } from "./filters";
import { LogRow } from "./LogRow";
import { LOG } from "./refreshed";

type Page = { rows: components["schemas"]["ExecutionLog"][]; cursor: string | null };

const ROWS = 50;

async function pageOf(filters: Filters, cursor: string | null): Promise<Page> {
  const query = { ...filters, limit: ROWS, ...(cursor === null ? {} : { cursor }) };
  const answer = await client.GET("/api/v1/admin/data-collection/execution-logs", {
    params: { query },
  });
  return { rows: answer.data ?? [], cursor: nextOf(answer.response.headers.get("link")) };
}

/** The cursor of the next page, which the Link header names. */
function nextOf(link: string | null): string | null {
  const next = /<[^?]*\?([^>]*)>; rel="next"/.exec(link ?? "")?.[1];
  return next === undefined ? null : new URLSearchParams(next).get("cursor");
}

/** The executions that the filters let through, the newest first. */
export function Log() {
  const { runs } = useWords();
  const [filters] = useFilters();
  const log = useInfiniteQuery({
    queryKey: [...LOG, "rows", filters],
    queryFn: ({ pageParam }) => pageOf(filters, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: ({ cursor }) => cursor,
    placeholderData: (before) => before,
  });
  if (log.isPending) return <Loading />;
  if (log.isError) return <Failure error={log.error} retry={() => void log.refetch()} />;
  const rows = log.data.pages.flatMap((page) => page.rows);
  if (rows.length === 0) return <Text c="dimmed">{runs.noRows}</Text>;
  return (
    <>
      <Rows rows={rows} />
      {log.hasNextPage && (
        <Group justify="center">
          <Button
            variant="light"
            loading={log.isFetchingNextPage}
            onClick={() => void log.fetchNextPage()}
          >
            {runs.more}
          </Button>
        </Group>
      )}
    </>
  );
}

function Rows({ rows }: { rows: Page["rows"] }) {
  const { runs } = useWords();
  return (
    <Table highlightOnHover horizontalSpacing="xs" stickyHeader stickyHeaderOffset={52}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{runs.started}</Table.Th>
          <Table.Th>{runs.symbol}</Table.Th>
          <Table.Th>{runs.status}</Table.Th>
          <Table.Th visibleFrom="md">{runs.job}</Table.Th>
          <Table.Th visibleFrom="sm">{runs.took}</Table.Th>
          <Table.Th visibleFrom="sm">{runs.records}</Table.Th>
          <Table.Th visibleFrom="lg">{runs.error}</Table.Th>
          <Table.Th aria-label={runs.details} />
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <LogRow key={row.id} row={row} />
        ))}
      </Table.Tbody>
    </Table>
  );
}
