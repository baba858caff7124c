import { Drawer, Stack, Text } from "@mantine/core";
import { useWords } from "../../../preferences";
import type { Order } from "./orders";
import { Repair } from "./Repair";

type Props = { opened: boolean; orders: Order[]; close: () => void };

/** The repair of all series of a page of the map. */
export function PageRepair({ opened, orders, close }: Props) {
  const { coverage } = useWords();
  const count = orders.reduce((sum, { symbols }) => sum + symbols.length, 0);
  return (
    <Drawer
      opened={opened}
      onClose={close}
      position="right"
      size="lg"
      title={coverage.repairPage}
      closeButtonProps={{ "aria-label": coverage.close }}
    >
      <Stack gap="sm">
        <Text size="sm">{count === 0 ? coverage.allThere : coverage.repairOf(count)}</Text>
        <Repair orders={orders} />
      </Stack>
    </Drawer>
  );
}
