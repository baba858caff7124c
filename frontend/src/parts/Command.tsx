import { ActionIcon, Code, Group, Tooltip } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useWords } from "../preferences";
import classes from "./command.module.css";

/** A text to be copied, such as a command. */
export function Command({ text }: { text: string }) {
  const { copy } = useWords();
  const clipboard = useClipboard();
  const Icon = clipboard.copied ? IconCheck : IconCopy;
  return (
    <Group gap="xs" wrap="nowrap" align="start">
      <Code block className={classes.text} tabIndex={0}>
        {text}
      </Code>
      <Tooltip label={clipboard.copied ? copy.copied : copy.copy}>
        <ActionIcon variant="default" aria-label={copy.copy} onClick={() => clipboard.copy(text)}>
          <Icon size={16} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
