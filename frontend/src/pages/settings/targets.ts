import { useQuery, useQueryClient } from "@tanstack/react-query";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";

export type Target = components["schemas"]["TargetShown"];

const KEY = ["alert targets"];

/** Where alerts are sent; nothing tells of what others change, so each look asks. */
export function useTargets() {
  return useQuery({
    queryKey: KEY,
    queryFn: async () => body(await client.GET("/api/v1/admin/alerts/targets")),
    staleTime: 0,
    refetchOnWindowFocus: true,
  });
}

/** Read the list again. */
export function useTargetsChanged(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: KEY });
}
