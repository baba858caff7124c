import { useWords } from "../preferences";
import { useNow } from "./now";
import { When } from "./When";

/** When something is due; a worker may take a while to look. */
export function Due({ at }: { at: string }) {
  const { overview } = useWords();
  return Date.parse(at) > useNow() ? <When at={at} /> : overview.now;
}
