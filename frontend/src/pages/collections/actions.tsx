import { Anchor, Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { useCallback } from "react";
import { Link } from "wouter";
import { body, client } from "../../api/client";
import { useProblemText, useTellFailure } from "../../parts/Failure";
import { useWords } from "../../preferences";
import { type Config, useReadAgain } from "./list";
import { bodyOf } from "./values";

const AT_ONCE = 4;
const UNDO_MS = 15_000;

const ofId = ({ id }: Config) => ({ params: { path: { config: String(id) } } });

export type Action = "enable" | "disable" | "trigger" | "delete";

/** Do one thing with one config. */
async function act(action: Action, config: Config): Promise<string | null> {
  const configs = "/api/v1/admin/data-collection/configs/{config}";
  switch (action) {
    case "enable":
      await client.POST(`${configs}/enable`, ofId(config));
      return null;
    case "disable":
      await client.POST(`${configs}/disable`, ofId(config));
      return null;
    case "trigger":
      return body(await client.POST(`${configs}/trigger`, ofId(config))).task_id;
    case "delete":
      await client.DELETE(configs, ofId(config));
      return null;
  }
}

/** Add a config, which is the way back after a deletion too. */
export const add = async (config: Parameters<typeof bodyOf>[0]) =>
  body(await client.POST("/api/v1/admin/data-collection/configs", { body: bodyOf(config) }));

type Outcome = { done: Config[]; failed: { config: Config; error: Error }[]; tasks: string[] };

/** Do the same with many configs, a few at a time; one that fails keeps no other from it. */
async function actOnAll(action: Action, configs: readonly Config[]): Promise<Outcome> {
  const outcome: Outcome = { done: [], failed: [], tasks: [] };
  const waiting = [...configs];
  const work = async () => {
    for (let config = waiting.shift(); config !== undefined; config = waiting.shift()) {
      try {
        const task = await act(action, config);
        outcome.done.push(config);
        if (task !== null) outcome.tasks.push(task);
      } catch (error) {
        outcome.failed.push({ config, error: error as Error });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcome;
}

/** What does something with some configs, and tells what came of it. */
export function useAction() {
  const readAgain = useReadAgain();
  const tell = useTellOutcome();
  return useMutation({
    mutationFn: ({ action, configs }: { action: Action; configs: readonly Config[] }) =>
      actOnAll(action, configs),
    onSuccess: (outcome, { action }) => {
      tell(action, outcome);
      return readAgain();
    },
  });
}

function useTellOutcome(): (action: Action, outcome: Outcome) => void {
  const { collections } = useWords();
  const textOf = useProblemText();
  const undo = useUndo();
  return useCallback(
    (action, { done, failed, tasks }) => {
      const [first] = failed;
      if (first !== undefined) {
        notifications.show({
          color: "red",
          title: collections.failedFor(failed.length, first.config.symbol),
          message: textOf(first.error),
          autoClose: 10_000,
        });
      }
      if (done.length === 0) return;
      const id = notifications.show({
        color: "teal",
        message: (
          <Group justify="space-between" gap="xs">
            <Text size="sm">{collections.done[action](done.map(({ symbol }) => symbol))}</Text>
            {action === "delete" && (
              <Button size="compact-sm" variant="light" onClick={() => undo(id, done)}>
                {collections.undo}
              </Button>
            )}
            {tasks.length === 1 && (
              <Anchor component={Link} href={`/runs/${tasks[0]}`} size="sm">
                {collections.showRun}
              </Anchor>
            )}
          </Group>
        ),
        autoClose: action === "delete" ? UNDO_MS : 5_000,
      });
    },
    [collections, textOf, undo],
  );
}

/** What adds deleted configs again. */
function useUndo(): (notification: string, configs: readonly Config[]) => void {
  const readAgain = useReadAgain();
  const tellFailure = useTellFailure();
  return useCallback(
    (notification, configs) => {
      notifications.hide(notification);
      Promise.all(configs.map(add)).then(readAgain).catch(tellFailure);
    },
    [readAgain, tellFailure],
  );
}
