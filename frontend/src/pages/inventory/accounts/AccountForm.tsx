import { Button, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { body, client } from "../../../api/client";
import { useFieldErrors, useProblemText } from "../../../parts/Failure";
import { useWords } from "../../../preferences";
import { type Account, useReadAccounts } from "../read";

const FIELDS = ["name", "token"] as const;

type Props = { account: Account | null; onClose: () => void };
type Typed = { name: string; token: string };

async function saved(account: Account | null, { name, token }: Typed): Promise<Account> {
  if (account === null) {
    return body(await client.POST("/api/v1/inventory/accounts", { body: { name, token } }));
  }
  return body(
    await client.PUT("/api/v1/inventory/accounts/{account_id}", {
      params: { path: { account_id: account.id } },
      body: { name, ...(token === "" ? {} : { token }) },
    }),
  );
}

/** A new account, or changes of one. A token goes to the service and never comes back. */
export function AccountForm({ account, onClose }: Props) {
  const { inventory } = useWords();
  const textOf = useProblemText();
  const readAccounts = useReadAccounts();
  const [typed, setTyped] = useState<Typed>({ name: account?.name ?? "", token: "" });
  const saving = useMutation({
    mutationFn: () => saved(account, typed),
    onSuccess: async () => {
      await readAccounts();
      onClose();
    },
  });
  const errors = useFieldErrors(saving.error, FIELDS);
  const isNew = account === null;
  return (
    <Modal
      opened
      onClose={onClose}
      title={isNew ? inventory.addTitle : inventory.editTitle}
      closeButtonProps={{ "aria-label": inventory.close }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={inventory.name}
            description={inventory.nameText}
            value={typed.name}
            error={errors.of("name")}
            required
            maxLength={50}
            data-autofocus
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, name: value })}
          />
          <PasswordInput
            label={isNew ? inventory.token : inventory.newToken}
            description={isNew ? inventory.tokenText : inventory.newTokenText}
            value={typed.token}
            error={errors.of("token")}
            aria-invalid={errors.of("token") !== undefined}
            required={isNew}
            autoComplete="off"
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, token: value })}
          />
          {errors.rest !== null && (
            <Text c="red" size="sm" role="alert">
              {textOf(errors.rest)}
            </Text>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {inventory.keep}
            </Button>
            <Button type="submit" loading={saving.isPending}>
              {isNew ? inventory.add : inventory.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
