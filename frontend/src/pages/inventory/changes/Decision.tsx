import { Alert, Button, Group, List, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle, IconInfoCircle } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { client } from "../../../api/client";
import type { Sync } from "../../../live/socket";
import { useTellFailure } from "../../../parts/Failure";
import { useWords } from "../../../preferences";
import { Confirm } from "../Confirm";
import { INVENTORY, sizeOf } from "../read";

const ACCEPTED = 202;

type Props = { name: string; sync: Sync };

/** A difference that waits: why, and the decision. */
export function Decision({ name, sync }: Props) {
  const { inventory } = useWords();
  const held = sync.state === "held";
  const Icon = held ? IconAlertTriangle : IconInfoCircle;
  return (
    <Alert
      color={held ? "orange" : "blue"}
      icon={<Icon aria-hidden />}
      title={held ? inventory.heldTitle(name) : inventory.dryTitle(name)}
      data-decision={sync.state}
    >
      <Text size="sm">{held ? inventory.heldText : inventory.dryText}</Text>
      {held && (
        <List size="sm" my="xs">
          {Object.entries(sync.suspicions).map(([reason, sentence]) => (
            <List.Item key={reason}>{sentence}</List.Item>
          ))}
        </List>
      )}
      <Buttons sync={sync} />
    </Alert>
  );
}

function Buttons({ sync }: { sync: Sync }) {
  const { inventory } = useWords();
  const tellFailure = useTellFailure();
  const [asked, ask] = useState(false);
  const approving = useDecision(sync, "approve");
  const rejecting = useDecision(sync, "reject");
  const size = sizeOf(sync);
  return (
    <Group gap="xs" mt="xs">
      <Button size="xs" disabled={rejecting.isPending} onClick={() => ask(true)}>
        {inventory.approve}
      </Button>
      <Button
        size="xs"
        variant="default"
        loading={rejecting.isPending}
        onClick={() => rejecting.mutate(undefined, { onError: tellFailure })}
      >
        {inventory.reject}
      </Button>
      {asked && (
        <Confirm
          title={inventory.approveTitle}
          text={inventory.approveText(size, sync.counts.gone)}
          action={inventory.approveNow(size)}
          colour={sync.counts.gone > 0 ? "red.9" : "water"}
          pending={approving.isPending}
          error={approving.error}
          onConfirm={() => approving.mutate(undefined, { onSuccess: () => ask(false) })}
          onClose={() => ask(false)}
        />
      )}
    </Group>
  );
}

function useDecision({ task_id }: Sync, what: "approve" | "reject") {
  const { inventory } = useWords();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () =>
      client.POST(`/api/v1/inventory/syncs/{task_id}/${what}`, { params: { path: { task_id } } }),
    onSuccess: async ({ response }) => {
      if (response.status === ACCEPTED) {
        notifications.show({ message: inventory.decidedLater });
      }
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["syncs"] }),
        queries.invalidateQueries({ queryKey: INVENTORY }),
      ]);
    },
  });
}
