import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";

/** Tasks often begin and end in dozens. */
const PAUSE_MS = 1_500;

/** What reads everything under a key again, once for all calls of a moment. */
export function useReadSoon(key: QueryKey): () => void {
  const queries = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void queries.invalidateQueries({ queryKey: key });
    }, PAUSE_MS);
  }, [queries, key]);
}
