import { Anchor, Group, Text } from "@mantine/core";
import { Link } from "wouter";
import type { Candle } from "../../live/socket";
import { useFormat, useWords } from "../../preferences";
import type { Restated } from "./marks";
import type { Gap } from "./points";

type Props = { candle: Candle | undefined; gap: Gap | undefined; before: Restated | undefined };

/** The candle or the gap under the pointer, else the newest candle. */
export function Legend({ candle, gap, before }: Props) {
  if (gap !== undefined) return <GapLine gap={gap} />;
  if (candle === undefined) return null;
  return <CandleLine candle={candle} before={before} />;
}

function CandleLine({ candle, before }: Omit<Props, "gap" | "candle"> & { candle: Candle }) {
  const { market } = useWords();
  const format = useFormat();
  const values = [
    ["open", candle.open],
    ["high", candle.high],
    ["low", candle.low],
    ["close", candle.close],
    ["volume", candle.volume],
  ] as const;
  return (
    <>
      <Group gap="sm" data-legend>
        <Text size="xs" c="dimmed">
          {format.moment(candle.open_time)}
          {!candle.closed && ` (${market.stillOpen})`}
        </Text>
        {values.map(
          ([name, value]) =>
            value != null && (
              <Text key={name} size="xs" data-value={name}>
                <Text span inherit c="dimmed">
                  {market[name]}{" "}
                </Text>
                {shortened(value)}
              </Text>
            ),
        )}
      </Group>
      {before !== undefined && (
        <Text size="xs">
          {market.restated(format.moment(before.restated_at), shortened(before.close))}
        </Text>
      )}
    </>
  );
}

/** A gap, with the way to its evidence and its repair. */
export function GapLine({ gap }: { gap: Gap }) {
  const { market } = useWords();
  const format = useFormat();
  return (
    <Text size="xs" data-gap={gap.start}>
      {market.gap(gap.candles, format.moment(gap.start))}{" "}
      <Text span inherit lang="en">
        {gap.sentence}
      </Text>{" "}
      <Anchor component={Link} href={addressOf(gap)} inherit>
        {market.toCoverage}
      </Anchor>
    </Text>
  );
}

function addressOf({ exchange, symbol, timeframe, start }: Gap): string {
  return `/coverage?${new URLSearchParams({ exchange, symbol, timeframe, gap: start })}`;
}

/** A price or a volume without the zeros at its end. */
export const shortened = (value: string) =>
  value.includes(".") ? value.replace(/\.?0+$/, "") : value;
