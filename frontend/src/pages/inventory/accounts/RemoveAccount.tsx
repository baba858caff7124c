import { useMutation } from "@tanstack/react-query";
import { client } from "../../../api/client";
import { useWords } from "../../../preferences";
import { Confirm } from "../Confirm";
import { type Account, useReadAccounts } from "../read";

type Props = { account: Account; onClose: () => void };

/** Ask before an account is deleted, and say what is lost with it. */
export function RemoveAccount({ account, onClose }: Props) {
  const { inventory } = useWords();
  const readAccounts = useReadAccounts();
  const removing = useMutation({
    mutationFn: () =>
      client.DELETE("/api/v1/inventory/accounts/{account_id}", {
        params: { path: { account_id: account.id } },
      }),
    onSuccess: async () => {
      await readAccounts();
      onClose();
    },
  });
  return (
    <Confirm
      title={inventory.removeTitle(account.name)}
      text={inventory.removeText(account.products)}
      action={inventory.removeNow}
      colour="red.9"
      pending={removing.isPending}
      error={removing.error}
      onConfirm={() => removing.mutate()}
      onClose={onClose}
    />
  );
}
