import { ActionIcon, Button, Group, Stack, Text, Tooltip } from "@mantine/core";
import { IconPencil, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { body, client } from "../../../api/client";
import type { Sync } from "../../../live/socket";
import { useTellFailure } from "../../../parts/Failure";
import { Section } from "../../../parts/Section";
import { When } from "../../../parts/When";
import { useWords } from "../../../preferences";
import { type Account, isActive } from "../read";
import { AccountForm } from "./AccountForm";
import { RemoveAccount } from "./RemoveAccount";
import { SyncOutcome } from "./SyncOutcome";
import { SyncProgress } from "./SyncProgress";

type Props = { account: Account; sync: Sync | undefined };

/** An account with its newest sync, and what can be done with it. */
export function AccountCard({ account, sync }: Props) {
  const { inventory } = useWords();
  return (
    <Section title={account.name} aside={<Edits account={account} />}>
      <Stack gap="sm" data-account={account.name}>
        <Text size="sm" c="dimmed">
          {inventory.seller(account.user_id)} ·{" "}
          {inventory.held(inventory.products(account.products))}
          {account.published_at !== null && (
            <>
              {" "}
              · {inventory.published} <When at={account.published_at} />
            </>
          )}
        </Text>
        <Newest account={account} sync={sync} />
      </Stack>
    </Section>
  );
}

function Newest({ account, sync }: Props) {
  const { inventory } = useWords();
  if (sync !== undefined && isActive(sync)) return <SyncProgress name={account.name} sync={sync} />;
  return (
    <>
      {sync === undefined ? (
        <Text size="sm">{inventory.neverSynced}</Text>
      ) : (
        <SyncOutcome name={account.name} sync={sync} />
      )}
      <Start account={account} />
    </>
  );
}

function Start({ account }: { account: Account }) {
  const { inventory } = useWords();
  const tellFailure = useTellFailure();
  const starting = useMutation({
    mutationFn: async (dry_run: boolean) =>
      body(
        await client.POST("/api/v1/inventory/accounts/{account_id}/sync", {
          params: { path: { account_id: account.id } },
          body: { dry_run, wait: false },
        }),
      ),
    onError: tellFailure,
  });
  return (
    <Group gap="xs">
      <Button
        size="xs"
        leftSection={<IconRefresh size={14} aria-hidden />}
        loading={starting.isPending}
        onClick={() => starting.mutate(false)}
      >
        {inventory.sync}
      </Button>
      <Tooltip label={inventory.dryRunText} events={{ hover: true, focus: true, touch: false }}>
        <Button
          size="xs"
          variant="default"
          disabled={starting.isPending}
          onClick={() => starting.mutate(true)}
        >
          {inventory.dryRun}
        </Button>
      </Tooltip>
    </Group>
  );
}

function Edits({ account }: { account: Account }) {
  const { inventory } = useWords();
  const [opened, open] = useState<"edit" | "remove" | null>(null);
  const close = () => open(null);
  return (
    <Group gap={4} wrap="nowrap">
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={inventory.edit(account.name)}
        onClick={() => open("edit")}
      >
        <IconPencil size={16} />
      </ActionIcon>
      <ActionIcon
        variant="subtle"
        color="red"
        aria-label={inventory.remove(account.name)}
        onClick={() => open("remove")}
      >
        <IconTrash size={16} />
      </ActionIcon>
      {opened === "edit" && <AccountForm account={account} onClose={close} />}
      {opened === "remove" && <RemoveAccount account={account} onClose={close} />}
    </Group>
  );
}
