import { Stack, Text } from "@mantine/core";
import { Answer } from "../../../parts/Answer";
import { Section } from "../../../parts/Section";
import { useWords } from "../../../preferences";
import { AccountSelect, chosenOf } from "../AccountSelect";
import { Counts } from "../accounts/SyncOutcome";
import { SyncProgress } from "../accounts/SyncProgress";
import { type Account, isActive, isUndecided, sizeOf, useAccounts, useSyncs } from "../read";
import { useWhere } from "../where";
import { ChangeTable } from "./ChangeTable";
import { Decision } from "./Decision";

/** What the newest sync of an account changed, or would change. */
export function Changes() {
  const { inventory } = useWords();
  const accounts = useAccounts();
  const [where] = useWhere();
  return (
    <Answer query={accounts} lines={2}>
      {(found) => {
        const account = chosenOf(found, where.account) ?? found[0];
        if (account === undefined) return <Text c="dimmed">{inventory.noAccount}</Text>;
        return (
          <Stack>
            <AccountSelect accounts={found} />
            <OfAccount account={account} />
          </Stack>
        );
      }}
    </Answer>
  );
}

function OfAccount({ account }: { account: Account }) {
  const { inventory } = useWords();
  const syncs = useSyncs();
  return (
    <Answer query={syncs} lines={3}>
      {(newest) => {
        const sync = newest.find(({ account_id }) => account_id === account.id);
        if (sync === undefined) return <Text>{inventory.neverSynced}</Text>;
        if (isActive(sync)) return <SyncProgress name={account.name} sync={sync} />;
        const undecided = isUndecided(sync);
        return (
          <Stack data-sync={sync.state ?? sync.status}>
            {undecided && <Decision name={account.name} sync={sync} />}
            <Section
              title={inventory.changesOf(
                sync.state === null ? sync.message : inventory.state[sync.state],
              )}
            >
              <Stack>
                <Counts sync={sync} />
                {undecided || (sync.state === "published" && sizeOf(sync) > 0) ? (
                  <ChangeTable sync={sync} undecided={undecided} />
                ) : (
                  <Text c="dimmed">
                    {sync.state === "published" ? inventory.noChanges : inventory.noDifference}
                  </Text>
                )}
              </Stack>
            </Section>
          </Stack>
        );
      }}
    </Answer>
  );
}
