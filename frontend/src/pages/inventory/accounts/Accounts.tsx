import { Button, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { Answer } from "../../../parts/Answer";
import { useWords } from "../../../preferences";
import { type Account, useAccounts, useSyncs } from "../read";
import { useWhere } from "../where";
import { AccountCard } from "./AccountCard";
import { AccountForm } from "./AccountForm";

/** The accounts, each with its newest sync. */
export function Accounts() {
  const { inventory } = useWords();
  const accounts = useAccounts();
  const [where, go] = useWhere();
  // The overview leads here with this address.
  const [adding, setAdding] = useState(where.add === "account");
  return (
    <Stack>
      <Answer query={accounts} lines={2}>
        {(found) => (found.length === 0 ? <None /> : <Cards accounts={found} />)}
      </Answer>
      <Group>
        <Button
          leftSection={<IconPlus size={16} aria-hidden />}
          variant={accounts.data?.length === 0 ? "filled" : "light"}
          onClick={() => setAdding(true)}
        >
          {inventory.add}
        </Button>
      </Group>
      {adding && (
        <AccountForm
          account={null}
          onClose={() => {
            setAdding(false);
            go({ add: "" });
          }}
        />
      )}
    </Stack>
  );
}

function None() {
  const { inventory } = useWords();
  return (
    <div>
      <Text fw={600}>{inventory.noAccount}</Text>
      <Text c="dimmed">{inventory.noAccountText}</Text>
    </div>
  );
}

function Cards({ accounts }: { accounts: Account[] }) {
  const syncs = useSyncs();
  return (
    <Answer query={syncs} lines={2}>
      {(newest) => (
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          {accounts.map((account) => (
            <AccountCard
              key={account.id}
              account={account}
              sync={newest.find(({ account_id }) => account_id === account.id)}
            />
          ))}
        </SimpleGrid>
      )}
    </Answer>
  );
}
