import { Badge, Tooltip } from "@mantine/core";
import { useLiveState } from "../live/LiveProvider";
import { useWords } from "../preferences";

const COLOURS = { open: "teal", connecting: "gray", lost: "red" } as const;

/** Whether what is shown is live. */
export function LiveBadge() {
  const { shell } = useWords();
  const state = useLiveState();
  const texts = { open: shell.live, connecting: shell.connecting, lost: shell.lost };
  return (
    <Tooltip label={shell.lostText} disabled={state !== "lost"}>
      <Badge variant="dot" color={COLOURS[state]} role="status" data-live={state}>
        {texts[state]}
      </Badge>
    </Tooltip>
  );
}
