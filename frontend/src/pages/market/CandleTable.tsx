import { Button, Group, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useFormat, useWords } from "../../preferences";
import type { ChartView } from "./chart";
import { GapLine, shortened } from "./Legend";
import classes from "./market.module.css";
import { linesOf } from "./points";

const ROWS = 50;
const COLUMNS = 6;

/** What the chart shows, as a table: the newest first, gaps in their places. */
export function CandleTable({ view, label }: { view: ChartView; label: string }) {
  const { market, runs } = useWords();
  const format = useFormat();
  const [rows, setRows] = useState(ROWS);
  const lines = linesOf(view.candles, view.gaps);
  return (
    <>
      <Table horizontalSpacing="xs" aria-label={label} className={classes.table}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{market.time}</Table.Th>
            <Table.Th scope="col" ta="right" visibleFrom="sm">
              {market.open}
            </Table.Th>
            <Table.Th scope="col" ta="right">
              {market.high}
            </Table.Th>
            <Table.Th scope="col" ta="right">
              {market.low}
            </Table.Th>
            <Table.Th scope="col" ta="right">
              {market.close}
            </Table.Th>
            <Table.Th scope="col" ta="right" visibleFrom="sm">
              {market.volume}
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {lines.slice(0, rows).map((line) =>
            "gap" in line ? (
              <Table.Tr key={line.gap.start}>
                <Table.Td colSpan={COLUMNS}>
                  <GapLine gap={line.gap} />
                </Table.Td>
              </Table.Tr>
            ) : (
              <Table.Tr key={line.candle.open_time} data-candle={line.candle.open_time}>
                <Table.Td>
                  {format.moment(line.candle.open_time)}
                  {view.restated.has(line.candle.open_time) && (
                    <Text span size="xs" c="dimmed">
                      {" "}
                      {market.restatedMark}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td ta="right" visibleFrom="sm">
                  {shortened(line.candle.open)}
                </Table.Td>
                <Table.Td ta="right">{shortened(line.candle.high)}</Table.Td>
                <Table.Td ta="right">{shortened(line.candle.low)}</Table.Td>
                <Table.Td ta="right">{shortened(line.candle.close)}</Table.Td>
                <Table.Td ta="right" visibleFrom="sm">
                  {shortened(line.candle.volume ?? "")}
                </Table.Td>
              </Table.Tr>
            ),
          )}
        </Table.Tbody>
      </Table>
      {rows < lines.length && (
        <Group justify="center">
          <Button variant="light" size="xs" onClick={() => setRows(rows + ROWS)}>
            {runs.more}
          </Button>
        </Group>
      )}
    </>
  );
}
