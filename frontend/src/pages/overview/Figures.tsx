import { Group, Paper, SimpleGrid, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Bars } from "../../parts/Bars";
import { useNow } from "../../parts/now";
import { useFormat, useWords } from "../../preferences";
import { useJobName } from "./jobName";
import type { Summary } from "./Overview";

/** The four numbers that say how collecting goes. */
export function Figures({ summary }: { summary: Summary }) {
  const { overview } = useWords();
  const format = useFormat();
  const { day } = summary;
  const average = day.average_duration_seconds;
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }}>
      <Figure
        title={overview.successRate}
        value={day.success_rate === null ? "–" : format.percent(day.success_rate)}
        text={overview.successText(day.successful_executions, day.failed_executions)}
      />
      <Figure
        title={overview.duration}
        value={average === null ? "–" : format.duration(average)}
        text={overview.durationText(day.total_executions)}
      />
      <Records summary={summary} />
      <NextRun summary={summary} />
    </SimpleGrid>
  );
}

type FigureProps = { title: string; value: string; text: string; children?: ReactNode };

function Figure({ title, value, text, children }: FigureProps) {
  return (
    <Paper withBorder p="md" data-figure={title}>
      <Text size="xs" c="dimmed">
        {title}
      </Text>
      <Group justify="space-between" align="end" gap="xs">
        <Text size="xl" fw={650}>
          {value}
        </Text>
        {children}
      </Group>
      <Text size="xs" c="dimmed" lineClamp={1}>
        {text}
      </Text>
    </Paper>
  );
}

function Records({ summary }: { summary: Summary }) {
  const { overview } = useWords();
  const format = useFormat();
  const bars = summary.days.map(({ date, records }) => ({
    key: date,
    value: records,
    title: `${date}: ${overview.recordCount(format.number(records))}`,
  }));
  const today = bars.at(-1)?.value ?? 0;
  return (
    <Figure title={overview.records} value={format.number(today)} text={overview.recordsText}>
      <Bars bars={bars} label={`${overview.records}; ${overview.recordsText}`} />
    </Figure>
  );
}

function NextRun({ summary }: { summary: Summary }) {
  const { overview } = useWords();
  const format = useFormat();
  const nameOf = useJobName();
  const now = useNow();
  const [next] = summary.upcoming;
  if (next?.next_run_at == null) {
    return <Figure title={overview.next} value="–" text={overview.nothingScheduled} />;
  }
  const due = Date.parse(next.next_run_at) > now;
  const value = due ? format.from(next.next_run_at, now) : overview.now;
  return <Figure title={overview.next} value={value} text={nameOf(next)} />;
}
