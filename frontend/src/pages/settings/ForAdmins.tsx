import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Section } from "../../parts/Section";
import { useWords } from "../../preferences";
import { useSession } from "../../shell/SessionGate";

type Props = { title: string; children: () => ReactNode };

/** A part that asks the service for what only tokens of the scope admin may see. */
export function ForAdmins({ title, children }: Props) {
  const { settings } = useWords();
  const { scope } = useSession();
  if (scope === "admin") return children();
  return (
    <Section title={title}>
      <Text size="sm" c="dimmed">
        {settings.forAdmins(scope ?? "read")}
      </Text>
    </Section>
  );
}
