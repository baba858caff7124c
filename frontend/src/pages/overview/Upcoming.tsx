import { Group, Stack, Text } from "@mantine/core";
import { Due } from "../../parts/Due";
import { Section } from "../../parts/Section";
import { useWords } from "../../preferences";
import { useJobName } from "./jobName";
import type { Summary } from "./Overview";

/** What runs next. */
export function Upcoming({ summary }: { summary: Summary }) {
  const { overview } = useWords();
  const nameOf = useJobName();
  const { upcoming } = summary;
  return (
    <Section title={overview.upcoming}>
      {upcoming.length === 0 && <Text c="dimmed">{overview.nothingScheduled}</Text>}
      <Stack gap={6}>
        {upcoming.map((job) => (
          <Group key={job.name} justify="space-between" wrap="nowrap" gap="xs">
            <Text size="sm" truncate>
              {nameOf(job)}
            </Text>
            <Text size="sm" c="dimmed" style={{ whiteSpace: "nowrap" }}>
              {job.next_run_at !== null && <Due at={job.next_run_at} />}
            </Text>
          </Group>
        ))}
      </Stack>
    </Section>
  );
}
