import { Skeleton, Stack } from "@mantine/core";

/** What is shown before the first answer. */
export function Loading({ lines = 5 }: { lines?: number }) {
  return (
    <Stack aria-busy="true" data-loading>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all the same
        <Skeleton key={line} height={line === 0 ? 28 : 64} />
      ))}
    </Stack>
  );
}
