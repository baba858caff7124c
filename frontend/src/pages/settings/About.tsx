import { Anchor, Group, Stack, Text } from "@mantine/core";
import { Answer } from "../../parts/Answer";
import { Section } from "../../parts/Section";
import { useFormat, useWords } from "../../preferences";
import { useAbout } from "./about";

/** What the service is. */
export function About() {
  const { settings } = useWords();
  const format = useFormat();
  return (
    <Section title={settings.about}>
      <Answer query={useAbout()} lines={2}>
        {(about) => (
          <Stack gap={4}>
            <Fact name={settings.version} value={`Penstock ${about.version}`} />
            <Fact
              name={settings.database}
              value={`${about.database} · ${format.bytes(about.database_bytes)}`}
            />
            <Fact name={settings.schema} value={about.schema_version} />
            <Fact name={settings.licence} value="Apache-2.0" />
          </Stack>
        )}
      </Answer>
      <Group mt="sm" gap="md">
        <Anchor href="/docs" size="sm">
          {settings.reference}
        </Anchor>
        <Anchor href="/licences.txt" size="sm">
          {settings.licences}
        </Anchor>
      </Group>
    </Section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <Text size="sm">
      {name}: {value}
    </Text>
  );
}
