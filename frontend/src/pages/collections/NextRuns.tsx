import { Alert, List, Stack, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { withoutField } from "../../parts/fields";
import { useFormat, useWords } from "../../preferences";
import { bodyOf, contentOf, type Values } from "./values";

type Preview = components["schemas"]["Preview"];

const PAUSE_MS = 400;

/** When what the form says would run, and what speaks against it. */
export function usePreview(values: Values): UseQueryResult<Preview> {
  const [settled] = useDebouncedValue(values, PAUSE_MS);
  const config = bodyOf(contentOf({ ...settled, description: "" }));
  return useQuery({
    queryKey: ["preview", config],
    enabled: config.symbol !== "",
    queryFn: async () =>
      body(await client.POST("/api/v1/admin/data-collection/preview", { body: config })),
    placeholderData: (before) => before,
    staleTime: 0,
    gcTime: 0,
  });
}

/** The next runs in the reader's time, and the warnings. */
export function NextRuns({ preview }: { preview: UseQueryResult<Preview> }) {
  const { collections } = useWords();
  const format = useFormat();
  const { data, error } = preview;
  if (data === undefined || error !== null) return null;
  return (
    <Stack gap="xs" aria-live="polite">
      <div>
        <Text size="sm" fw={500}>
          {collections.nextRuns(format.timeZone)}
        </Text>
        <List size="sm" type="ordered">
          {data.next_runs.map((at) => (
            <List.Item key={at}>{format.dayAndTime(at)}</List.Item>
          ))}
        </List>
      </div>
      {data.warnings.length > 0 && (
        <Alert role="note" color="yellow" title={collections.warnings} p="xs">
          {data.warnings.map((warning) => (
            <Text key={warning} size="sm" lang="en">
              {withoutField(warning)}
            </Text>
          ))}
        </Alert>
      )}
    </Stack>
  );
}
