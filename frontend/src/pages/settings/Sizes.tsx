import { Button, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import type { components } from "../../api/schema";
import { Answer } from "../../parts/Answer";
import { Section } from "../../parts/Section";
import { When } from "../../parts/When";
import { useFormat, useWords } from "../../preferences";
import { useSizes } from "./about";

type Size = components["schemas"]["TableShown"];

const FIRST = 8;

/** Which tables are large. */
export function Sizes() {
  const { settings } = useWords();
  const [all, setAll] = useState(false);
  return (
    <Section title={settings.sizes}>
      <Answer query={useSizes()} lines={3}>
        {({ items, measured_at }) =>
          items.length === 0 ? (
            <Text size="sm">{settings.noSizes}</Text>
          ) : (
            <Stack align="start" gap="xs">
              <SizeTable sizes={all ? items : items.slice(0, FIRST)} />
              {!all && items.length > FIRST && (
                <Button size="xs" variant="default" onClick={() => setAll(true)}>
                  {settings.allTables(items.length)}
                </Button>
              )}
              <Text size="xs" c="dimmed">
                {settings.withIndexes} <When at={measured_at} />
              </Text>
            </Stack>
          )
        }
      </Answer>
    </Section>
  );
}

function SizeTable({ sizes }: { sizes: Size[] }) {
  const { settings } = useWords();
  const format = useFormat();
  return (
    <Table aria-label={settings.sizes} horizontalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{settings.table}</Table.Th>
          <Table.Th scope="col" ta="right">
            {settings.rows}
          </Table.Th>
          <Table.Th scope="col" ta="right">
            {settings.size}
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {sizes.map(({ name, rows, bytes }) => (
          <Table.Tr key={name} data-table={name}>
            <Table.Td style={{ overflowWrap: "anywhere" }}>{name}</Table.Td>
            <Table.Td ta="right">{rows === null ? "–" : format.number(rows)}</Table.Td>
            <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
              {format.bytes(bytes)}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
