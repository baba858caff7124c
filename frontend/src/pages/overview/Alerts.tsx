import { Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useAlerts } from "../../live/lists";
import { Answer } from "../../parts/Answer";
import { Section } from "../../parts/Section";
import { When } from "../../parts/When";
import { useWords } from "../../preferences";

const MOST = 8;

/** The alerts that fire, live. */
export function Alerts() {
  const { overview } = useWords();
  return (
    <Section title={overview.firing}>
      <Answer query={useAlerts()} lines={2}>
        {(alerts) => (
          <Stack gap="xs">
            {alerts.length === 0 && <Text c="dimmed">{overview.noAlerts}</Text>}
            {alerts.slice(0, MOST).map(({ rule, subject, message, since }) => (
              <Group key={`${rule} ${subject}`} wrap="nowrap" gap="xs" align="start">
                <IconAlertTriangle size={18} color="var(--mantine-color-red-text)" aria-hidden />
                <div>
                  <Text size="sm">{message}</Text>
                  <Text size="xs" c="dimmed">
                    <When at={since} />
                  </Text>
                </div>
              </Group>
            ))}
            {alerts.length > MOST && <Text c="dimmed">+ {alerts.length - MOST}</Text>}
          </Stack>
        )}
      </Answer>
    </Section>
  );
}
