import { Alert, Text } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { Due } from "../../parts/Due";
import { useWords } from "../../preferences";
import { useDefaultSchedule } from "./list";

/** What is collected without a config; nothing before the service has worked once. */
export function DefaultSchedule() {
  const { collections } = useWords();
  const schedule = useDefaultSchedule().data;
  if (schedule == null) return null;
  const { asleep, next_run_at, interval_seconds } = schedule;
  return (
    <Alert role="note" variant="light" color="gray" icon={<IconInfoCircle aria-hidden />} p="xs">
      <Text size="sm">
        {asleep === null ? collections.defaultOn(interval_seconds) : collections.defaultOff}{" "}
        {next_run_at !== null && <Due at={next_run_at} />}
      </Text>
      {asleep !== null && (
        <Text size="xs" c="dimmed" lang="en">
          {asleep}
        </Text>
      )}
    </Alert>
  );
}
