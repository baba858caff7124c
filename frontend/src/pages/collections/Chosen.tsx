import { Button, Group, Text } from "@mantine/core";
import { useWords } from "../../preferences";
import { type Action, useAction } from "./actions";
import type { Config } from "./list";

const ACTIONS: Action[] = ["enable", "disable", "trigger", "delete"];

/** What can be done with the chosen configs together. */
export function Chosen({ configs, onDone }: { configs: Config[]; onDone: () => void }) {
  const { collections } = useWords();
  const acting = useAction();
  if (configs.length === 0) return null;
  return (
    <Group gap="xs" role="toolbar" aria-label={collections.chosen(configs.length)}>
      <Text size="sm" fw={500}>
        {collections.chosen(configs.length)}
      </Text>
      {ACTIONS.map((action) => (
        <Button
          key={action}
          size="xs"
          variant="light"
          color={action === "delete" ? "red" : "water"}
          disabled={acting.isPending}
          onClick={() => acting.mutate({ action, configs }, { onSuccess: onDone })}
        >
          {collections.actions[action]}
        </Button>
      ))}
    </Group>
  );
}
