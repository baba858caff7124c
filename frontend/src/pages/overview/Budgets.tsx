import { Progress, Stack, Text } from "@mantine/core";
import { Section } from "../../parts/Section";
import { useWords } from "../../preferences";
import type { Summary } from "./Overview";

type Budget = Summary["budgets"][number];

const NEARLY_ALL = 80;

/** How much of each provider's limit is used in the running minute. */
export function Budgets({ summary }: { summary: Summary }) {
  const { overview } = useWords();
  const inUse = summary.budgets.filter(({ used, allowed }) => used > 0 || allowed !== null);
  return (
    <Section title={overview.budgets}>
      {inUse.length === 0 && <Text c="dimmed">{overview.noBudgets}</Text>}
      <Stack gap="xs">
        {inUse.map((budget) => (
          <OneBudget key={budget.provider} budget={budget} />
        ))}
      </Stack>
    </Section>
  );
}

/** A budget of one account is named by its provider and a digest of the token. */
const nameOf = (provider: string) => provider.replace(/ ([0-9a-f]{4})[0-9a-f]*$/, " ($1)");

function OneBudget({ budget: { provider, used, allowed } }: { budget: Budget }) {
  const { overview } = useWords();
  const share = allowed === null ? 0 : Math.min(100, (100 * used) / allowed);
  const text = allowed === null ? overview.budgetUnknown(used) : overview.budget(used, allowed);
  return (
    <div>
      <Text size="sm" truncate>
        {nameOf(provider)}
      </Text>
      <Progress
        value={share}
        color={share > NEARLY_ALL ? "orange" : "water"}
        aria-label={`${provider}: ${text}`}
      />
      <Text size="xs" c="dimmed">
        {text}
      </Text>
    </div>
  );
}
