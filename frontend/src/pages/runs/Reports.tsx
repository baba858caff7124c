import { Group, NativeSelect, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useAddress } from "../../address";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { Answer } from "../../parts/Answer";
import { Bars } from "../../parts/Bars";
import { Section } from "../../parts/Section";
import { useFormat, useWords } from "../../preferences";
import { LOG, useRefreshedLog } from "./refreshed";

type Schemas = components["schemas"];
type Numbers = Omit<Schemas["SymbolNumbers"], "symbol">;

const SPAN = ["days"] as const;
const SPANS = ["1", "7", "30", "90"] as const;
const MOST = 10;
const REPORTS = "/api/v1/admin/data-collection/reports";

/** What the execution log answers in numbers, over a chosen span. */
export function Reports() {
  const { runs } = useWords();
  const [address, change] = useAddress(SPAN);
  const span = SPANS.find((one) => one === address.days) ?? "7";
  useRefreshedLog();
  return (
    <Stack>
      <Group>
        <NativeSelect
          label={runs.span}
          value={span}
          onChange={({ currentTarget }) => change({ days: currentTarget.value })}
          data={SPANS.map((value) => ({ value, label: runs.days(Number(value)) }))}
        />
      </Group>
      <Statistics days={Number(span)} />
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <TopSymbols days={Number(span)} />
        <ByExchange days={Number(span)} />
      </SimpleGrid>
      <RecordsPerDay days={Math.max(7, Number(span))} />
    </Stack>
  );
}

/** A report of the service, by its name and the days that it covers. */
function useReport<T>(name: string, days: number, read: () => Promise<T>): UseQueryResult<T> {
  return useQuery({
    queryKey: [...LOG, name, days],
    queryFn: read,
    placeholderData: (before) => before,
  });
}

function Statistics({ days }: { days: number }) {
  const { runs } = useWords();
  const format = useFormat();
  const percentOf = usePercent();
  const stats = useReport("stats", days, async () => {
    const query = { hours: days * 24 };
    return body(await client.GET("/api/v1/admin/data-collection/stats", { params: { query } }));
  });
  return (
    <Section title={runs.statistics}>
      <Answer query={stats} lines={1}>
        {(found) => (
          <SimpleGrid cols={{ base: 2, sm: 5 }} component="dl" m={0}>
            <Figure name={runs.executions} value={format.number(found.total_executions)} />
            <Figure name={runs.successRate} value={percentOf(found.success_rate)} />
            <Figure name={runs.failed} value={format.number(found.failed_executions)}>
              {found.failed_executions > 0 && (
                <Link href="/runs?status=failed">{runs.showThese}</Link>
              )}
            </Figure>
            <Figure name={runs.took} value={format.duration(found.average_duration_seconds ?? 0)} />
            <Figure name={runs.records} value={format.number(found.total_records_collected)} />
          </SimpleGrid>
        )}
      </Answer>
    </Section>
  );
}

/** A share; a dash where nothing has succeeded or failed yet. */
function usePercent(): (percent: number | null) => string {
  const format = useFormat();
  return (percent) => (percent === null ? "–" : format.percent(percent));
}

type FigureProps = { name: string; value: string; children?: ReactNode };

function Figure({ name, value, children }: FigureProps) {
  return (
    <div>
      <Text component="dt" size="xs" c="dimmed">
        {name}
      </Text>
      <Text component="dd" fw={600} m={0}>
        {value}{" "}
        <Text component="span" size="xs" fw={400}>
          {children}
        </Text>
      </Text>
    </div>
  );
}

function TopSymbols({ days }: { days: number }) {
  const { runs } = useWords();
  const report = useReport("top", days, async () => {
    const query = { days, limit: MOST };
    return body(await client.GET(`${REPORTS}/top-symbols`, { params: { query } }));
  });
  return (
    <Section title={runs.topSymbols}>
      <Answer query={report} lines={2}>
        {(rows) => <NumbersTable name={runs.symbol} rows={rows} of={({ symbol }) => symbol} />}
      </Answer>
    </Section>
  );
}

function ByExchange({ days }: { days: number }) {
  const { runs } = useWords();
  const report = useReport("exchanges", days, async () =>
    body(await client.GET(`${REPORTS}/by-exchange`, { params: { query: { days } } })),
  );
  return (
    <Section title={runs.byExchange}>
      <Answer query={report} lines={2}>
        {(rows) => (
          <NumbersTable name={runs.exchange} rows={rows} of={({ exchange }) => exchange} />
        )}
      </Answer>
    </Section>
  );
}

type NumbersProps<T> = { name: string; rows: T[]; of: (row: T) => string | null };

function NumbersTable<T extends Numbers>({ name, rows, of }: NumbersProps<T>) {
  const { runs, table } = useWords();
  const format = useFormat();
  const percentOf = usePercent();
  if (rows.length === 0) return <Text c="dimmed">{table.nothing}</Text>;
  return (
    <Table horizontalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{name}</Table.Th>
          <Table.Th scope="col" ta="right">
            {runs.records}
          </Table.Th>
          <Table.Th scope="col" ta="right" visibleFrom="sm">
            {runs.executions}
          </Table.Th>
          <Table.Th scope="col" ta="right" visibleFrom="sm">
            {runs.took}
          </Table.Th>
          <Table.Th scope="col" ta="right">
            {runs.successRate}
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={of(row)}>
            <Table.Td>{of(row) ?? "–"}</Table.Td>
            <Table.Td ta="right">{format.number(row.records)}</Table.Td>
            <Table.Td ta="right" visibleFrom="sm">
              {format.number(row.executions)}
            </Table.Td>
            <Table.Td ta="right" visibleFrom="sm">
              {row.average_duration_seconds === null
                ? "–"
                : format.duration(row.average_duration_seconds)}
            </Table.Td>
            <Table.Td ta="right">{percentOf(row.success_rate)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function RecordsPerDay({ days }: { days: number }) {
  const { runs } = useWords();
  const format = useFormat();
  const report = useReport("days", days, async () => {
    const answer = await client.GET(`${REPORTS}/records-per-day`, { params: { query: { days } } });
    return body(answer).days;
  });
  const textOf = ({ date, records, change_percent }: Schemas["Day"]) =>
    [
      `${date}: ${format.number(records)}`,
      change_percent !== null && runs.changed(format.percent(change_percent)),
    ]
      .filter(Boolean)
      .join(" · ");
  return (
    <Section title={runs.recordsPerDay}>
      <Answer query={report} lines={1}>
        {(found) => (
          <Bars
            label={runs.recordsPerDay}
            bars={found.map((day) => ({
              key: day.date,
              value: day.records,
              title: textOf(day),
            }))}
          />
        )}
      </Answer>
    </Section>
  );
}
