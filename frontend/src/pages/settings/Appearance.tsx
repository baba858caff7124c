import { type MantineColorScheme, SimpleGrid, useMantineColorScheme } from "@mantine/core";
import { Section } from "../../parts/Section";
import {
  type CandleColours,
  changePreferences,
  type Language,
  usePreferences,
  useWords,
  type Zone,
} from "../../preferences";
import { Choice } from "./Choice";

/** What this browser keeps for its reader. */
export function Appearance() {
  const { settings } = useWords();
  const { language, zone, candles } = usePreferences();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Section title={settings.appearance}>
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <Choice<Language>
          label={settings.language}
          value={language}
          onChoose={(chosen) => changePreferences({ language: chosen })}
          options={[
            ["en", "English"],
            ["it", "Italiano"],
          ]}
        />
        <Choice<MantineColorScheme>
          label={settings.colours}
          value={colorScheme}
          onChoose={setColorScheme}
          options={[
            ["light", settings.light],
            ["dark", settings.dark],
            ["auto", settings.auto],
          ]}
        />
        <Choice<Zone>
          label={settings.zone}
          text={settings.zoneText}
          value={zone}
          onChoose={(chosen) => changePreferences({ zone: chosen })}
          options={[
            ["local", settings.local(here)],
            ["utc", "UTC"],
          ]}
        />
        <Choice<CandleColours>
          label={settings.candles}
          value={candles}
          onChoose={(chosen) => changePreferences({ candles: chosen })}
          orientation="vertical"
          options={[
            ["green-up", settings.greenUp],
            ["red-up", settings.redUp],
            ["blue-up", settings.blueUp],
          ]}
        />
      </SimpleGrid>
    </Section>
  );
}
