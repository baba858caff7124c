import { Stack, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { body, client } from "../../../api/client";
import type { components } from "../../../api/schema";
import { Answer } from "../../../parts/Answer";
import { useCursors } from "../../../parts/cursors";
import { type DataColumn, DataTable } from "../../../parts/DataTable";
import { Pager } from "../../../parts/Pager";
import { useFormat, useWords } from "../../../preferences";
import { AccountSelect, chosenOf } from "../AccountSelect";
import { INVENTORY, useAccounts } from "../read";
import { useWhere } from "../where";

type Item = components["schemas"]["UnmappedItem"];

const ROWS = 50;

/** What is in the inventory and in no row of the user's own catalogue. */
export function Unmapped() {
  const { inventory } = useWords();
  const accounts = useAccounts();
  const [where] = useWhere();
  return (
    <Answer query={accounts} lines={2}>
      {(found) => (
        <Stack>
          <Text>{inventory.unmappedText}</Text>
          <AccountSelect accounts={found} every />
          <Page account={chosenOf(found, where.account)?.id} />
        </Stack>
      )}
    </Answer>
  );
}

function Page({ account }: { account: number | undefined }) {
  const { inventory } = useWords();
  const cursors = useCursors<string>(String(account));
  const { cursor } = cursors;
  const columns = useColumns();
  const page = useQuery({
    queryKey: [...INVENTORY, "unmapped", account, cursor],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/inventory/unmapped", {
          params: {
            query: {
              limit: ROWS,
              ...(account === undefined ? {} : { account }),
              ...(cursor === null ? {} : { cursor }),
            },
          },
        }),
      ),
    placeholderData: keepPreviousData,
  });
  return (
    <Answer query={page}>
      {({ items, next_cursor }) =>
        items.length === 0 ? (
          <Text c="dimmed">{inventory.noUnmapped}</Text>
        ) : (
          <>
            <DataTable
              label={inventory.tabs.unmapped}
              columns={columns}
              rows={items}
              idOf={({ blueprint_id }) => String(blueprint_id)}
            />
            <Pager cursors={cursors} following={next_cursor} label={inventory.tabs.unmapped} />
          </>
        )
      }
    </Answer>
  );
}

function useColumns(): DataColumn<Item>[] {
  const { inventory } = useWords();
  const format = useFormat();
  return useMemo(
    () => [
      { id: "name", header: inventory.product, cell: ({ row: { original } }) => original.name },
      {
        id: "blueprint",
        header: inventory.blueprint,
        cell: ({ row: { original } }) => original.blueprint_id,
        meta: { numbers: true },
      },
      {
        id: "products",
        header: inventory.count,
        cell: ({ row: { original } }) => format.number(original.products),
        meta: { numbers: true },
      },
    ],
    [inventory, format],
  );
}
