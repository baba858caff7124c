import { Text } from "@mantine/core";
import type { components } from "../../../api/schema";
import { When } from "../../../parts/When";
import { useWords } from "../../../preferences";

type Props = { evidence: components["schemas"]["EvidenceShown"] };

/** How often a gap was asked for, of whom and when. */
export function Evidence({ evidence }: Props) {
  const { coverage } = useWords();
  const { asked, source, first_asked, last_asked, due } = evidence;
  return (
    <Text size="xs" c="dimmed">
      {coverage.asked(asked, source)}. {coverage.first}: <When at={first_asked} />
      {asked > 1 && (
        <>
          {" · "}
          {coverage.last}: <When at={last_asked} />
        </>
      )}
      {" · "}
      {coverage.due}: {due === null ? coverage.onRequest : <When at={due} />}
    </Text>
  );
}
