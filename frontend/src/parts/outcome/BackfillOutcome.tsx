import { List, Stack, Text } from "@mantine/core";
import { useFormat, useWords } from "../../preferences";

/** The result of a backfill, as far as it is shown. */
export type BackfillResult = {
  failures: Record<string, string>;
  gaps: number;
  first_gaps: { series: string; start: string; end: string; candles: number; reason: string }[];
};

type Props = { result: BackfillResult; stored: number };

/** What a backfill stored, and what it could not. */
export function BackfillOutcome({ result, stored }: Props) {
  const { coverage } = useWords();
  const format = useFormat();
  const { failures, gaps, first_gaps } = result;
  return (
    <Stack gap={4}>
      <Text size="sm">{coverage.stored(stored)}</Text>
      {Object.entries(failures).map(([series, error]) => (
        <Text key={series} size="sm" c="red">
          {series}: {error}
        </Text>
      ))}
      {gaps > 0 && <Text size="sm">{coverage.still(gaps)}</Text>}
      <List size="sm">
        {first_gaps.map(({ series, start, end, candles, reason }) => (
          <List.Item key={`${series} ${start}`}>
            {series}, {coverage.range(format.moment(start), format.moment(end))}:{" "}
            {coverage.candles(candles)}, {coverage.reason[reason] ?? reason}
          </List.Item>
        ))}
        {gaps > first_gaps.length && (
          <List.Item>{coverage.andMore(gaps - first_gaps.length)}</List.Item>
        )}
      </List>
    </Stack>
  );
}
