import { Skeleton, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useWords } from "../preferences";

const SLOW_MS = 4_000;

/** What is shown before the first answer; in words too, if that takes long. */
export function Loading({ lines = 5 }: { lines?: number }) {
  const { problem } = useWords();
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <Stack aria-busy="true" data-loading>
      {slow && (
        <Text size="sm" c="dimmed" role="status">
          {problem.slow}
        </Text>
      )}
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all the same
        <Skeleton key={line} height={line === 0 ? 28 : 64} />
      ))}
    </Stack>
  );
}
