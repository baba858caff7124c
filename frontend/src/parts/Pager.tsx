import { ActionIcon, Group, Text } from "@mantine/core";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useWords } from "../preferences";
import type { Cursor, Cursors } from "./cursors";

type Props<C extends Cursor> = { cursors: Cursors<C>; following: C | null; label: string };

/** The ways to the next and the previous page of a list; none where there is one page only. */
export function Pager<C extends Cursor>({ cursors, following, label }: Props<C>) {
  const { table } = useWords();
  if (cursors.page === 1 && following === null) return null;
  return (
    <Group component="nav" justify="center" gap="xs" aria-label={label}>
      <ActionIcon
        variant="default"
        aria-label={table.previous}
        disabled={cursors.page === 1}
        onClick={cursors.back}
      >
        <IconChevronLeft size={16} />
      </ActionIcon>
      <Text size="sm" aria-live="polite">
        {table.page(cursors.page)}
      </Text>
      <ActionIcon
        variant="default"
        aria-label={table.next}
        disabled={following === null}
        onClick={() => following !== null && cursors.next(following)}
      >
        <IconChevronRight size={16} />
      </ActionIcon>
    </Group>
  );
}
