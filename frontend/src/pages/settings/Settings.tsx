import {
  type MantineColorScheme,
  SegmentedControl,
  Stack,
  Text,
  Title,
  useMantineColorScheme,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useId } from "react";
import { body, client } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { Section } from "../../parts/Section";
import {
  type CandleColours,
  changePreferences,
  type Language,
  usePreferences,
  useWords,
  type Zone,
} from "../../preferences";

/** What the reader chooses, and what the service is. */
export default function Settings() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.settings}</Title>
      <Appearance />
      <About />
    </Stack>
  );
}

function Appearance() {
  const { settings } = useWords();
  const { language, zone, candles } = usePreferences();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Section title={settings.appearance}>
      <Stack>
        <Choice label={settings.language}>
          {(labelled) => (
            <SegmentedControl<Language>
              {...labelled}
              value={language}
              onChange={(chosen) => changePreferences({ language: chosen })}
              data={[
                { value: "en", label: "English" },
                { value: "it", label: "Italiano" },
              ]}
            />
          )}
        </Choice>
        <Choice label={settings.colours}>
          {(labelled) => (
            <SegmentedControl<MantineColorScheme>
              {...labelled}
              value={colorScheme}
              onChange={setColorScheme}
              data={[
                { value: "light", label: settings.light },
                { value: "dark", label: settings.dark },
                { value: "auto", label: settings.auto },
              ]}
            />
          )}
        </Choice>
        <Choice label={settings.zone} text={settings.zoneText}>
          {(labelled) => (
            <SegmentedControl<Zone>
              {...labelled}
              value={zone}
              onChange={(chosen) => changePreferences({ zone: chosen })}
              data={[
                { value: "local", label: settings.local(here) },
                { value: "utc", label: "UTC" },
              ]}
            />
          )}
        </Choice>
        <Choice label={settings.candles}>
          {(labelled) => (
            <SegmentedControl<CandleColours>
              {...labelled}
              value={candles}
              onChange={(chosen) => changePreferences({ candles: chosen })}
              orientation="vertical"
              data={[
                { value: "green-up", label: settings.greenUp },
                { value: "red-up", label: settings.redUp },
                { value: "blue-up", label: settings.blueUp },
              ]}
            />
          )}
        </Choice>
      </Stack>
    </Section>
  );
}

type ChoiceProps = {
  label: string;
  text?: string;
  children: (labelled: { "aria-labelledby": string }) => ReactNode;
};

function Choice({ label, text, children }: ChoiceProps) {
  const id = useId();
  return (
    <div>
      <Text size="sm" fw={500} id={id}>
        {label}
      </Text>
      {text !== undefined && (
        <Text size="xs" c="dimmed">
          {text}
        </Text>
      )}
      {children({ "aria-labelledby": id })}
    </div>
  );
}

function About() {
  const { settings } = useWords();
  const ready = useQuery({
    queryKey: ["ready"],
    queryFn: async () => body(await client.GET("/readyz")),
  });
  return (
    <Section title={settings.about}>
      <Answer query={ready} lines={2}>
        {(found) => (
          <Stack gap={4}>
            {"schema_version" in found && (
              <Text size="sm">
                {settings.schema}: {found.schema_version}
              </Text>
            )}
            <Text size="sm">{settings.licence}: Apache-2.0</Text>
          </Stack>
        )}
      </Answer>
    </Section>
  );
}
