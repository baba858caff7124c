import { ActionIcon, Badge, Button, Group, Text } from "@mantine/core";
import { IconPencil, IconTrash } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { body, client } from "../../api/client";
import { useProblemText } from "../../parts/Failure";
import { useWords } from "../../preferences";
import type { Target } from "./targets";

type Props = { target: Target; onEdit: () => void; onRemove: () => void };

/** A target, and what came of a test message to it. */
export function TargetRow({ target, onEdit, onRemove }: Props) {
  const { settings } = useWords();
  const testing = useMutation({
    mutationFn: async () =>
      body(
        await client.POST("/api/v1/admin/alerts/targets/{target_id}/test", {
          params: { path: { target_id: target.id } },
        }),
      ),
  });
  return (
    <li data-target={target.id}>
      <Group justify="space-between" gap="xs">
        <div style={{ minWidth: 0, overflowWrap: "anywhere" }}>
          <Group gap="xs">
            <Text size="sm" fw={500}>
              {target.name}
            </Text>
            {!target.enabled && (
              <Badge variant="light" color="gray">
                {settings.off}
              </Badge>
            )}
          </Group>
          <Text size="sm" c="dimmed">
            {settings.kinds[target.kind]} · {target.address}
          </Text>
        </div>
        <Group gap="xs" wrap="nowrap">
          <Button
            size="xs"
            variant="default"
            aria-label={settings.testNamed(target.name)}
            loading={testing.isPending}
            onClick={() => testing.mutate()}
          >
            {settings.test}
          </Button>
          <ActionIcon
            variant="default"
            aria-label={settings.editNamed(target.name)}
            onClick={onEdit}
          >
            <IconPencil size={16} />
          </ActionIcon>
          <ActionIcon
            variant="subtle"
            color="red"
            aria-label={settings.removeNamed(target.name)}
            onClick={onRemove}
          >
            <IconTrash size={16} />
          </ActionIcon>
        </Group>
      </Group>
      <Outcome told={testing.data} error={testing.error} />
    </li>
  );
}

type OutcomeProps = {
  told: { delivered: boolean; detail: string } | undefined;
  error: Error | null;
};

function Outcome({ told, error }: OutcomeProps) {
  const { settings } = useWords();
  const problemText = useProblemText();
  const text = told === undefined ? error && problemText(error) : told.detail;
  const delivered = told?.delivered ?? false;
  return (
    <Text size="sm" role="status" data-delivered={told && delivered}>
      {text && `${delivered ? settings.delivered : settings.notDelivered} ${text}`}
    </Text>
  );
}
