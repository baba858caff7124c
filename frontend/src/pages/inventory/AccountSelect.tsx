import { NativeSelect } from "@mantine/core";
import { useWords } from "../../preferences";
import type { Account } from "./read";
import { useWhere } from "./where";

type Props = { accounts: Account[]; every?: boolean };

/** Which account is shown; nothing where there is no choice. */
export function AccountSelect({ accounts, every = false }: Props) {
  const { inventory } = useWords();
  const [where, go] = useWhere();
  if (accounts.length < 2) return null;
  return (
    <NativeSelect
      label={inventory.account}
      maw={320}
      value={where.account ?? ""}
      onChange={({ currentTarget }) => go({ account: currentTarget.value })}
      data={[
        ...(every ? [{ value: "", label: inventory.everyAccount }] : []),
        ...accounts.map(({ name }) => name),
      ]}
    />
  );
}

/** The account that the address names. */
export const chosenOf = (accounts: readonly Account[], name: string | undefined) =>
  accounts.find((account) => account.name === name);
