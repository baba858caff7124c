import { useQuery, useQueryClient } from "@tanstack/react-query";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";

export type Token = components["schemas"]["TokenShown"];

const KEY = ["tokens"];

/** The newest tokens; nothing tells of those that others create, so each look asks. */
export function useTokens() {
  return useQuery({
    queryKey: KEY,
    queryFn: async () => body(await client.GET("/api/v1/admin/tokens")),
    staleTime: 0,
    refetchOnWindowFocus: true,
  });
}

/** Read the list again. */
export function useTokensChanged(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: KEY });
}

/** Whether a token still lets anybody in. */
export function works(token: Token, now: number): boolean {
  const { revoked_at, expires_at } = token;
  return revoked_at === null && (expires_at === null || Date.parse(expires_at) > now);
}
