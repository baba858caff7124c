import { List, Modal, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { body, client } from "../../../api/client";
import type { components } from "../../../api/schema";
import { Answer } from "../../../parts/Answer";
import { When } from "../../../parts/When";
import { useFormat, useWords } from "../../../preferences";
import type { Changed } from "../changes/changed";
import { WhatChanged } from "../changes/WhatChanged";
import { INVENTORY } from "../read";
import { useWhere } from "../where";
import { stepsOf } from "./history";
import { type Product, useTraits } from "./productColumns";
import { Sparkline } from "./Sparkline";

type Entry = Omit<components["schemas"]["HistoryItem"], "changes"> & { changes: Changed };

const MOST = 100;

type Props = {
  id: string;
  /** The product, where the page shown has it. */
  product: Product | undefined;
};

/** What syncs changed of a product, with the course of its price and quantity. */
export function ProductDetail({ id, product }: Props) {
  const { inventory } = useWords();
  const [, go] = useWhere();
  const history = useQuery({
    queryKey: [...INVENTORY, "history", id],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/inventory/products/{product_id}/history", {
          params: { path: { product_id: Number(id) }, query: { limit: MOST } },
        }),
      ),
  });
  return (
    <Modal
      opened
      onClose={() => go({ product: "" })}
      title={`${product?.name_en ?? inventory.history} · ${id}`}
      closeButtonProps={{ "aria-label": inventory.close }}
      size="lg"
    >
      <Stack>
        {product !== undefined && <Facts product={product} />}
        <Answer query={history} lines={3}>
          {({ items }) => <History entries={items} currency={product?.price_currency ?? ""} />}
        </Answer>
      </Stack>
    </Modal>
  );
}

function Facts({ product }: { product: Product }) {
  const { inventory } = useWords();
  const format = useFormat();
  const traits = useTraits();
  const facts = [
    traits(product),
    `${inventory.price}: ${format.money(product.price_cents, product.price_currency)}`,
    `${inventory.quantity}: ${format.number(product.quantity)}`,
    product.sku !== null && `${inventory.sku}: ${product.sku}`,
    product.description,
  ].filter(Boolean);
  return (
    <Text size="sm" c="dimmed">
      {facts.join(" · ")}
    </Text>
  );
}

function History({ entries, currency }: { entries: Entry[]; currency: string }) {
  const { inventory } = useWords();
  const format = useFormat();
  if (entries.length === 0) return <Text>{inventory.noHistory}</Text>;
  return (
    <Stack data-history={entries.length}>
      <Course
        steps={stepsOf(entries, "price_cents")}
        label={inventory.priceHistory}
        shown={(value) => format.money(value, currency)}
      />
      <Course
        steps={stepsOf(entries, "quantity")}
        label={inventory.quantityHistory}
        shown={(value) => format.number(value)}
      />
      <List size="sm" listStyleType="none" spacing="xs">
        {entries.map((entry) => (
          <List.Item key={entry.id}>
            <When at={entry.changed_at} /> · {inventory.kindOfOne[entry.kind]}
            <WhatChanged changes={entry.changes} currency={currency} />
          </List.Item>
        ))}
      </List>
      {entries.length === MOST && (
        <Text size="xs" c="dimmed">
          {inventory.latest(MOST)}
        </Text>
      )}
    </Stack>
  );
}

type CourseProps = {
  steps: number[];
  label: (from: string, to: string) => string;
  shown: (value: number) => string;
};

function Course({ steps, label, shown }: CourseProps) {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined) return null;
  const text = label(shown(first), shown(last));
  return (
    <div>
      <Text size="sm">{text}</Text>
      <Sparkline values={steps} label={text} />
    </div>
  );
}
