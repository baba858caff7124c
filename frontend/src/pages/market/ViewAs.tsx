import { Anchor, SegmentedControl, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { Command } from "../../parts/Command";
import { useWords } from "../../preferences";
import type { Series } from "./series";
import { csvPathOf, FORMS, type Form, textOf } from "./viewAs";

/** What gives the candles on the screen elsewhere: a command, a query, a script, a file. */
export function ViewAs({ series, start }: { series: Series; start: string | undefined }) {
  const { market } = useWords();
  const [form, setForm] = useState<Form>("curl");
  const { origin } = window.location;
  return (
    <Stack gap="xs">
      <SegmentedControl<Form>
        aria-label={market.viewAs}
        value={form}
        onChange={setForm}
        data={FORMS.map(({ value, label }) => ({ value, label }))}
      />
      {form === "csv" ? (
        <Anchor href={csvPathOf(series, start)} download>
          {market.download}
        </Anchor>
      ) : (
        <Command text={textOf(form, series, start, origin)} />
      )}
      {form === "sql" && (
        <Text size="xs" c="dimmed">
          {market.sqlText}
        </Text>
      )}
    </Stack>
  );
}
