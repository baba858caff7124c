import { Anchor, Group, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import { Beats } from "../../parts/Beats";
import { Section } from "../../parts/Section";
import { useWords } from "../../preferences";
import { useJobName } from "./jobName";
import type { Summary } from "./Overview";
import classes from "./overview.module.css";

/** How the latest runs of each job went; those that failed last come first. */
export function Jobs({ summary }: { summary: Summary }) {
  const { overview, pages } = useWords();
  const nameOf = useJobName();
  const { jobs, jobs_total } = summary;
  return (
    <Section
      title={overview.jobs}
      aside={
        <Group gap="sm" wrap="nowrap">
          {jobs_total > jobs.length && (
            <Text size="sm" c="dimmed">
              {overview.firstJobs(jobs.length, jobs_total)}
            </Text>
          )}
          <Anchor component={Link} href="/collections" size="sm">
            {pages.collections}
          </Anchor>
        </Group>
      }
    >
      <Stack gap="xs">
        {jobs.map((job) => (
          <Group key={job.name} justify="space-between" wrap="nowrap" data-job={job.name}>
            <Text size="sm" className={classes.jobName} title={job.asleep ?? undefined}>
              {nameOf(job)}
            </Text>
            <Beats beats={job.beats} label={overview.beats(nameOf(job))} />
          </Group>
        ))}
      </Stack>
    </Section>
  );
}
