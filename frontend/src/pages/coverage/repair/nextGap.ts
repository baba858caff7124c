import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { useRef } from "react";
import { body, client } from "../../../api/client";
import { useTellFailure } from "../../../parts/Failure";
import { useWords } from "../../../preferences";
import { usePlace, type View } from "../filters";
import type { Gap } from "./orders";

type Walk = { list: string; cursor: string | null };

/** Find the gap after the one found last, of those that the filters let through; then the first. */
export function useNextGap(show: (gap: Gap) => void) {
  const { view } = usePlace();
  const { coverage } = useWords();
  const tellFailure = useTellFailure();
  const walk = useRef<Walk>({ list: "", cursor: null });
  return useMutation({
    mutationFn: async () => {
      const list = JSON.stringify(queryOf(view));
      const cursor = walk.current.list === list ? walk.current.cursor : null;
      const found = await firstAfter(view, cursor);
      const page =
        found.items.length === 0 && cursor !== null ? await firstAfter(view, null) : found;
      walk.current = { list, cursor: page.next_cursor };
      return page.items[0];
    },
    onSuccess: (gap) => {
      if (gap === undefined) notifications.show({ color: "teal", message: coverage.noGap });
      else show(gap);
    },
    onError: tellFailure,
  });
}

function queryOf({ exchange, symbol, timeframe, reason }: View) {
  return {
    ...(exchange === undefined ? {} : { exchange }),
    ...(symbol === undefined ? {} : { symbol }),
    ...(timeframe === undefined ? {} : { timeframe }),
    ...(reason === undefined ? { missing: true } : { reason }),
  };
}

async function firstAfter(view: View, cursor: string | null) {
  const after = cursor === null ? {} : { cursor };
  const query = { ...queryOf(view), ...after, limit: 1 };
  return body(await client.GET("/api/v1/gaps", { params: { query } }));
}
