import { Alert, Stack, Table, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import { useFormat, useWords } from "../../preferences";
import classes from "./outcome.module.css";

type Finding = {
  kind: string;
  start: string;
  end: string;
  candles: number;
  standing: string;
  detail: string;
};
type SeriesReport = { exchange: string; symbol: string; timeframe: string; findings: Finding[] };

/** The report of a verification, as far as it is shown. */
export type VerifyResult = {
  candles: number;
  compared: number;
  series: number;
  wrong: number;
  reports: SeriesReport[];
  failures: Record<string, string>;
};

const MOST = 100;

/** What a verification found, in words. */
export function VerifyReport({ result }: { result: VerifyResult }) {
  const { coverage } = useWords();
  const { candles, compared, series, wrong, failures } = result;
  const isRight = wrong === 0;
  return (
    <Stack gap="sm">
      <Alert
        color={isRight ? "teal" : "red"}
        icon={isRight ? <IconCircleCheck aria-hidden /> : <IconAlertTriangle aria-hidden />}
        data-report={isRight ? "right" : "wrong"}
      >
        {isRight ? coverage.right(candles, series) : coverage.wrong(wrong, candles)}{" "}
        {compared > 0 && coverage.compared(compared)}
      </Alert>
      {Object.entries(failures)
        .slice(0, MOST)
        .map(([name, error]) => (
          <Text key={name} size="sm" c="red">
            {name}: {error}
          </Text>
        ))}
      <Findings reports={result.reports} />
    </Stack>
  );
}

function Findings({ reports }: { reports: SeriesReport[] }) {
  const { coverage } = useWords();
  const all = reports.flatMap(({ symbol, timeframe, findings }) =>
    findings.map((finding) => ({ ...finding, name: `${symbol} ${timeframe}` })),
  );
  if (all.length === 0) return null;
  return (
    <>
      <Table horizontalSpacing="xs" aria-label={coverage.report}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{coverage.series}</Table.Th>
            <Table.Th>{coverage.finding}</Table.Th>
            <Table.Th ta="right" visibleFrom="sm">
              {coverage.candleCount}
            </Table.Th>
            <Table.Th>{coverage.outcome}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {all.slice(0, MOST).map((finding) => (
            <Row key={`${finding.name} ${finding.kind} ${finding.start}`} {...finding} />
          ))}
        </Table.Tbody>
      </Table>
      {all.length > MOST && <Text size="sm">{coverage.andMore(all.length - MOST)}</Text>}
    </>
  );
}

function Row({ name, kind, start, candles, standing, detail }: Finding & { name: string }) {
  const { coverage } = useWords();
  const format = useFormat();
  return (
    <Table.Tr data-finding={kind}>
      <Table.Td>
        {name}
        <Text size="xs" c="dimmed">
          {format.moment(start)}
        </Text>
      </Table.Td>
      <Table.Td>
        {coverage.findings[kind] ?? kind}
        {detail !== "" && (
          <Text size="xs" c="dimmed" className={classes.text}>
            {detail}
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right" visibleFrom="sm">
        {format.number(candles)}
      </Table.Td>
      <Table.Td>{coverage.standing[standing] ?? standing}</Table.Td>
    </Table.Tr>
  );
}
