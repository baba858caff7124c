import { Stack, Tabs, Title } from "@mantine/core";
import { useWords } from "../../preferences";
import { Accounts } from "./accounts/Accounts";
import { CatalogueUpload } from "./catalogue/CatalogueUpload";
import { Unmapped } from "./catalogue/Unmapped";
import { Changes } from "./changes/Changes";
import { Products } from "./products/Products";
import { useRefreshed } from "./read";
import { TABS, type Tab, tabOf, useWhere } from "./where";

const PARTS: Record<Tab, () => React.ReactNode> = {
  accounts: Accounts,
  products: Products,
  changes: Changes,
  unmapped: Unmapped,
  catalogue: CatalogueUpload,
};

/** What sellers have, kept in step with the marketplace. */
export default function Inventory() {
  const { pages, inventory } = useWords();
  const [where, go] = useWhere();
  const tab = tabOf(where);
  const Part = PARTS[tab];
  useRefreshed();
  return (
    <Stack>
      <Title order={1}>{pages.inventory}</Title>
      <Tabs value={tab} onChange={(chosen) => go({ tab: chosen ?? "", product: "", kind: "" })}>
        <Tabs.List aria-label={pages.inventory}>
          {TABS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {inventory.tabs[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value={tab} pt="md" key={tab}>
          <Part />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
