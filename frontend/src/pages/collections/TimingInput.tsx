import { Autocomplete, Group, SegmentedControl, SimpleGrid, TextInput } from "@mantine/core";
import { useWords } from "../../preferences";
import type { PartProps } from "./ConfigForm";
import type { Values } from "./values";

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone")];
const MOST_ZONES = 50;

/** When it runs: at intervals, or at the times of a cron expression. */
export function TimingInput({ values, change, errors }: PartProps) {
  const { collections } = useWords();
  return (
    <>
      <SegmentedControl<Values["timing"]>
        aria-label={collections.when}
        value={values.timing}
        onChange={(timing) => change({ timing })}
        data={[
          { value: "interval", label: collections.interval },
          { value: "cron", label: collections.cron },
        ]}
      />
      {values.timing === "interval" ? (
        <Group gap="xs" align="start">
          <TextInput
            type="number"
            min={1}
            step={1}
            w={140}
            label={collections.minutes}
            value={values.interval}
            error={errors.of("interval_minutes")}
            onChange={({ currentTarget }) => change({ interval: currentTarget.value })}
          />
        </Group>
      ) : (
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <TextInput
            label={collections.expression}
            description={collections.expressionText}
            value={values.cron}
            maxLength={50}
            error={errors.of("cron")}
            onChange={({ currentTarget }) => change({ cron: currentTarget.value })}
          />
          <Autocomplete
            label={collections.timezone}
            description={collections.timezoneText}
            value={values.timezone}
            maxLength={50}
            data={ZONES}
            limit={MOST_ZONES}
            error={errors.of("timezone")}
            onChange={(timezone) => change({ timezone })}
          />
        </SimpleGrid>
      )}
    </>
  );
}
