import { Anchor, Badge, Group, Text } from "@mantine/core";
import { useMemo } from "react";
import type { components } from "../../../api/schema";
import type { DataColumn } from "../../../parts/DataTable";
import { useFormat, useWords } from "../../../preferences";
import { useWhere } from "../where";

export type Product = components["schemas"]["ProductShown"];

/** Condition, language and finish of a product, in a line. */
export function useTraits(): (product: Product) => string {
  const { inventory } = useWords();
  return ({ condition, language, foil }) =>
    [condition, language, foil && inventory.foilOnly].filter(Boolean).join(" · ");
}

export function useProductColumns(): DataColumn<Product>[] {
  const { inventory } = useWords();
  const format = useFormat();
  return useMemo(
    () => [
      {
        id: "name_en",
        header: inventory.product,
        cell: ({ row: { original } }) => <Name product={original} />,
        enableSorting: true,
      },
      {
        id: "sku",
        header: inventory.sku,
        cell: ({ row: { original } }) => original.sku ?? "–",
        meta: { from: "md" },
      },
      {
        id: "quantity",
        header: inventory.quantity,
        cell: ({ row: { original } }) => format.number(original.quantity),
        enableSorting: true,
        meta: { numbers: true },
      },
      {
        id: "price_cents",
        header: inventory.price,
        cell: ({ row: { original } }) =>
          format.money(original.price_cents, original.price_currency),
        enableSorting: true,
        meta: { numbers: true },
      },
    ],
    [inventory, format],
  );
}

function Name({ product }: { product: Product }) {
  const { inventory } = useWords();
  const [, go] = useWhere();
  const traits = useTraits();
  return (
    <>
      <Group gap="xs">
        <Anchor
          component="button"
          type="button"
          ta="left"
          size="sm"
          onClick={() => go({ product: String(product.product_id) })}
        >
          {product.name_en}
        </Anchor>
        {product.gone_at !== null && (
          <Badge size="xs" color="red" variant="light" tt="none">
            {inventory.kindOfOne.gone}
          </Badge>
        )}
      </Group>
      <Text size="xs" c="dimmed">
        {traits(product)}
      </Text>
    </>
  );
}
