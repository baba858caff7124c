import { Stack, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { body, client } from "../../../api/client";
import { Answer } from "../../../parts/Answer";
import { useCursors } from "../../../parts/cursors";
import { DataTable, type Sort } from "../../../parts/DataTable";
import { Pager } from "../../../parts/Pager";
import { useWords } from "../../../preferences";
import { AccountSelect, chosenOf } from "../AccountSelect";
import { type Account, INVENTORY, useAccounts } from "../read";
import { useWhere } from "../where";
import { ProductDetail } from "./ProductDetail";
import { ProductFilters } from "./ProductFilters";
import { useProductColumns } from "./productColumns";
import { type ProductQuery, queryOf } from "./productQuery";

const ROWS = 50;

/** The inventory: a page of it, sorted, searched and filtered by the service. */
export function Products() {
  const accounts = useAccounts();
  return (
    <Answer query={accounts} lines={2}>
      {(found) => <Found accounts={found} />}
    </Answer>
  );
}

function Found({ accounts }: { accounts: Account[] }) {
  const { inventory } = useWords();
  const [where] = useWhere();
  if (accounts.length === 0) return <Text c="dimmed">{inventory.noAccount}</Text>;
  const query = queryOf(where, chosenOf(accounts, where.account)?.id);
  return (
    <Stack>
      <AccountSelect accounts={accounts} every />
      <ProductFilters />
      <Page query={query} />
    </Stack>
  );
}

function Page({ query }: { query: ProductQuery }) {
  const { inventory } = useWords();
  const [where, go] = useWhere();
  const cursors = useCursors<string>(JSON.stringify(query));
  const { cursor } = cursors;
  const columns = useProductColumns();
  const page = useQuery({
    queryKey: [...INVENTORY, "products", query, cursor],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/inventory/products", {
          params: { query: { ...query, limit: ROWS, ...(cursor === null ? {} : { cursor }) } },
        }),
      ),
    placeholderData: keepPreviousData,
  });
  const sort = sortOf(query.sort);
  return (
    <Answer query={page}>
      {({ items, next_cursor }) => (
        <Stack aria-busy={page.isPlaceholderData}>
          <DataTable
            label={inventory.tabs.products}
            columns={columns}
            rows={items}
            idOf={({ account_id, product_id }) => `${account_id} ${product_id}`}
            sort={sort}
            onSort={({ by, down }) => go({ sort: down ? `-${by}` : by })}
          />
          <Pager cursors={cursors} following={next_cursor} label={inventory.tabs.products} />
          {where.product !== undefined && (
            <ProductDetail
              id={where.product}
              product={items.find(({ product_id }) => String(product_id) === where.product)}
            />
          )}
        </Stack>
      )}
    </Answer>
  );
}

const sortOf = (sort: string): Sort => ({
  by: sort.replace(/^-/, ""),
  down: sort.startsWith("-"),
});
