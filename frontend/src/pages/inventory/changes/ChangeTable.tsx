import { Badge, NativeSelect, Stack, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { body, client } from "../../../api/client";
import type { components } from "../../../api/schema";
import type { Sync } from "../../../live/socket";
import { Answer } from "../../../parts/Answer";
import { useCursors } from "../../../parts/cursors";
import { type DataColumn, DataTable } from "../../../parts/DataTable";
import { Pager } from "../../../parts/Pager";
import { useFormat, useWords } from "../../../preferences";
import { INVENTORY, KINDS, type Kind } from "../read";
import { useWhere } from "../where";
import type { Changed } from "./changed";
import { WhatChanged } from "./WhatChanged";

type Item = Pick<
  components["schemas"]["DiffItem"],
  "product_id" | "kind" | "name_en" | "quantity" | "price_cents" | "price_currency"
> & { changes: Changed };
type Page = { items: Item[]; next_cursor: string | null };
type Asked = { taskId: string; undecided: boolean; kind: Kind | undefined; cursor: string | null };

const ROWS = 50;

async function pageOf({ taskId, undecided, kind, cursor }: Asked): Promise<Page> {
  const params = {
    path: { task_id: taskId },
    query: {
      limit: ROWS,
      ...(kind === undefined ? {} : { kind }),
      ...(cursor === null ? {} : { cursor }),
    },
  };
  return undecided
    ? body(await client.GET("/api/v1/inventory/syncs/{task_id}/diff", { params }))
    : body(await client.GET("/api/v1/inventory/syncs/{task_id}/changes", { params }));
}

/** What a sync changed or, while it is `undecided`, would change: product by product. */
export function ChangeTable({ sync, undecided }: { sync: Sync; undecided: boolean }) {
  const { inventory } = useWords();
  const [where, go] = useWhere();
  const kind = KINDS.find((one) => one === where.kind);
  const taskId = sync.task_id;
  const cursors = useCursors<string>(JSON.stringify([taskId, undecided, kind]));
  const { cursor } = cursors;
  const page = useQuery({
    queryKey: [...INVENTORY, "changes", taskId, undecided, kind, cursor],
    queryFn: () => pageOf({ taskId, undecided, kind, cursor }),
    placeholderData: keepPreviousData,
  });
  const columns = useColumns();
  return (
    <Stack>
      <NativeSelect
        label={inventory.kind}
        maw={240}
        value={kind ?? ""}
        onChange={({ currentTarget }) => go({ kind: currentTarget.value })}
        data={[
          { value: "", label: inventory.allKinds },
          ...KINDS.map((value) => ({
            value,
            label: `${inventory.kinds[value]} (${sync.counts[value]})`,
          })),
        ]}
      />
      <Answer query={page}>
        {({ items, next_cursor }) =>
          items.length === 0 && kind === undefined && !undecided ? (
            <Text c="dimmed">{inventory.firstImport(sync.counts.new)}</Text>
          ) : (
            <>
              <DataTable
                label={inventory.tabs.changes}
                columns={columns}
                rows={items}
                idOf={({ kind: of, product_id }) => `${of} ${product_id}`}
              />
              <Pager cursors={cursors} following={next_cursor} label={inventory.tabs.changes} />
            </>
          )
        }
      </Answer>
    </Stack>
  );
}

const COLOURS = { new: "teal", changed: "blue", gone: "red", returned: "teal" } as const;

function useColumns(): DataColumn<Item>[] {
  const { inventory } = useWords();
  const format = useFormat();
  return useMemo(
    () => [
      {
        id: "kind",
        header: inventory.change,
        cell: ({ row: { original } }) => (
          <Badge variant="light" color={COLOURS[original.kind]} tt="none" miw="max-content">
            {inventory.kindOfOne[original.kind]}
          </Badge>
        ),
      },
      {
        id: "name",
        header: inventory.product,
        cell: ({ row: { original } }) => (
          <>
            {original.name_en}
            <WhatChanged changes={original.changes} currency={original.price_currency} />
          </>
        ),
      },
      {
        id: "quantity",
        header: inventory.quantity,
        cell: ({ row: { original } }) => format.number(original.quantity),
        meta: { numbers: true, from: "sm" },
      },
      {
        id: "price",
        header: inventory.price,
        cell: ({ row: { original } }) =>
          format.money(original.price_cents, original.price_currency),
        meta: { numbers: true },
      },
    ],
    [inventory, format],
  );
}
