import { Alert, Button, Checkbox, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { useFieldErrors, useProblemText } from "../../parts/Failure";
import { useWords } from "../../preferences";
import { type Target, useTargetsChanged } from "./targets";

export type KeptTarget = components["schemas"]["TargetKept"];

type Fields = { name: string; url: string; signing_key: string; enabled: boolean };
const FIELDS = ["name", "url", "signing_key", "enabled"] as const;

async function add({ name, url, signing_key }: Fields): Promise<KeptTarget> {
  const more = signing_key === "" ? {} : { signing_key };
  const target = { name: name.trim(), url: url.trim(), ...more };
  return body(await client.POST("/api/v1/admin/alerts/targets", { body: target }));
}

async function change(target: Target, { name, url, enabled }: Fields): Promise<KeptTarget> {
  const more = url.trim() === "" ? {} : { url: url.trim() };
  const params = { path: { target_id: target.id } };
  return body(
    await client.PUT("/api/v1/admin/alerts/targets/{target_id}", {
      params,
      body: { name: name.trim(), enabled, ...more },
    }),
  );
}

type Props = { target: Target | null; onEnd: () => void; onKept: (kept: KeptTarget) => void };

/** The form for a new target, or to change one; the address of a present one is never shown. */
export function TargetForm({ target, onEnd, onKept }: Props) {
  const { settings } = useWords();
  const problemText = useProblemText();
  const changed = useTargetsChanged();
  const [fields, setFields] = useState<Fields>({
    name: target?.name ?? "",
    url: "",
    signing_key: "",
    enabled: target?.enabled ?? true,
  });
  const saving = useMutation({
    mutationFn: () => (target === null ? add(fields) : change(target, fields)),
    onSuccess: async (kept) => {
      await changed();
      onKept(kept);
    },
  });
  const errors = useFieldErrors(saving.error, FIELDS);
  const set = (changes: Partial<Fields>) => setFields({ ...fields, ...changes });
  return (
    <Modal
      opened
      onClose={onEnd}
      title={target === null ? settings.addTarget : settings.editNamed(target.name)}
      centered
      closeButtonProps={{ "aria-label": settings.close }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={settings.targetName}
            value={fields.name}
            onChange={({ currentTarget }) => set({ name: currentTarget.value })}
            error={errors.of("name")}
            data-autofocus
            required
          />
          <TextInput
            label={settings.address}
            description={target === null ? settings.addressText : settings.addressKept}
            placeholder={target?.address ?? "https://example.org/path"}
            value={fields.url}
            onChange={({ currentTarget }) => set({ url: currentTarget.value })}
            error={errors.of("url")}
            autoComplete="off"
            required={target === null}
          />
          {target === null ? (
            <TextInput
              label={settings.signingKey}
              description={settings.signingKeyText}
              value={fields.signing_key}
              onChange={({ currentTarget }) => set({ signing_key: currentTarget.value })}
              error={errors.of("signing_key")}
              autoComplete="off"
            />
          ) : (
            <Checkbox
              label={settings.enabled}
              checked={fields.enabled}
              onChange={({ currentTarget }) => set({ enabled: currentTarget.checked })}
            />
          )}
          {errors.rest !== null && (
            <Alert color="red" role="alert">
              {problemText(errors.rest)}
            </Alert>
          )}
          <Group justify="end">
            <Button variant="default" onClick={onEnd}>
              {settings.cancel}
            </Button>
            <Button type="submit" loading={saving.isPending}>
              {settings.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
