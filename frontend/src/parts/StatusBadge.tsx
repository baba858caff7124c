import { Badge } from "@mantine/core";
import { useWords } from "../preferences";

const COLOURS = {
  pending: "gray",
  running: "blue",
  completed: "teal",
  success: "teal",
  partial: "orange",
  failed: "red",
  cancelled: "gray",
} as const;

/** How a run or an execution is. */
export function StatusBadge({ status }: { status: keyof typeof COLOURS }) {
  const { state } = useWords();
  return (
    <Badge variant="light" color={COLOURS[status]} miw="max-content" data-status={status}>
      {state[status]}
    </Badge>
  );
}
