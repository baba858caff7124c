import { Code, List, Text } from "@mantine/core";
import { Answer } from "../../parts/Answer";
import { Section } from "../../parts/Section";
import { useFormat, useWords } from "../../preferences";
import { useAbout } from "./about";

/** What is deleted by itself, and what never is. */
export function Retention() {
  const { settings } = useWords();
  const format = useFormat();
  return (
    <Section title={settings.retention}>
      <Answer query={useAbout()} lines={2}>
        {(about) => (
          <>
            <List size="sm">
              <List.Item>
                {settings.keepsLog(about.execution_log_days)}{" "}
                <Code>PENSTOCK_EXECUTION_LOG_RETENTION_DAYS</Code>
              </List.Item>
              <List.Item>{settings.keepsAlerts(about.alert_days)}</List.Item>
              <List.Item>{settings.keepsRefused(format.number(about.quarantine_rows))}</List.Item>
            </List>
            <Text size="sm" mt="xs">
              {settings.keepsRest}
            </Text>
          </>
        )}
      </Answer>
    </Section>
  );
}
