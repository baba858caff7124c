import { Button, Checkbox, Group, Modal, SegmentedControl, Stack, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { body, client } from "../../api/client";
import { ErrorLine, useFieldErrors } from "../../parts/Failure";
import type { FieldErrors } from "../../parts/fields";
import { useFormat, useWords } from "../../preferences";
import { add, useAction } from "./actions";
import { type Config, useReadAgain } from "./list";
import { NextRuns, usePreview } from "./NextRuns";
import { AccountInput, SymbolInput, TimeframesInput } from "./subject";
import { TimingInput } from "./TimingInput";
import { changeOf, contentOf, emptyValues, FIELDS, type Values, valuesOf } from "./values";

type Props = { config?: Config; onClose: () => void };

/** Add a config, or change one. */
export function ConfigForm({ config, onClose }: Props) {
  const { collections } = useWords();
  return (
    <Modal
      opened
      onClose={onClose}
      // What was typed is not lost to a click beside it.
      closeOnClickOutside={false}
      title={config === undefined ? collections.add : collections.editing(config.symbol)}
      size="lg"
      closeButtonProps={{ "aria-label": collections.close }}
    >
      <Form {...(config === undefined ? {} : { config })} onClose={onClose} />
    </Modal>
  );
}

function Form({ config, onClose }: Props) {
  const { collections } = useWords();
  const here = useFormat().hereZone;
  const [values, setValues] = useState(
    config === undefined ? emptyValues(here) : valuesOf(config, here),
  );
  const [runsNow, setRunsNow] = useState(true);
  const preview = usePreview(values);
  const saving = useSaving(config, onClose);
  const change = (changes: Partial<Values>) => {
    saving.reset();
    setValues((before) => ({ ...before, ...changes }));
  };
  const errors = useFieldErrors(saving.error ?? preview.error, FIELDS);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate({ values, runsNow });
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <Subject values={values} change={change} errors={errors} fixed={config !== undefined} />
        <TimingInput values={values} change={change} errors={errors} />
        <NextRuns preview={preview} />
        <TextInput
          label={collections.description}
          value={values.description}
          error={errors.of("description")}
          onChange={({ currentTarget }) => change({ description: currentTarget.value })}
        />
        {config === undefined && (
          <Checkbox
            label={collections.runNow}
            checked={runsNow}
            onChange={({ currentTarget }) => setRunsNow(currentTarget.checked)}
          />
        )}
        <ErrorLine error={errors.rest} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {collections.cancel}
          </Button>
          <Button type="submit" loading={saving.isPending}>
            {config === undefined ? collections.addNow : collections.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export type PartProps = {
  values: Values;
  change: (changes: Partial<Values>) => void;
  errors: FieldErrors;
};

/** What is collected: a symbol, or an account, which stays what it is. */
function Subject({ fixed, ...props }: PartProps & { fixed: boolean }) {
  const { collections } = useWords();
  const { values, change } = props;
  return (
    <>
      {!fixed && (
        <SegmentedControl<Values["kind"]>
          aria-label={collections.kind}
          value={values.kind}
          onChange={(kind) => change({ kind, symbol: "" })}
          data={[
            { value: "candles", label: collections.candles },
            { value: "inventory", label: collections.inventory },
          ]}
        />
      )}
      {values.kind === "inventory" ? (
        <AccountInput {...props} fixed={fixed} />
      ) : (
        <>
          <SymbolInput {...props} fixed={fixed} />
          <TimeframesInput {...props} />
        </>
      )}
    </>
  );
}

type Saving = { values: Values; runsNow: boolean };

/** Save the form, and start the first run of a new config at once where that is wanted. */
function useSaving(config: Config | undefined, onClose: () => void) {
  const { collections } = useWords();
  const readAgain = useReadAgain();
  const acting = useAction();
  return useMutation({
    mutationFn: ({ values }: Saving) =>
      config === undefined ? add(contentOf(values)) : change(config, values),
    onSuccess: (saved, { runsNow }) => {
      onClose();
      notifications.show({
        color: saved.warnings.length > 0 ? "yellow" : "teal",
        title: collections.saved(saved.symbol),
        message: saved.warnings.join(" · "),
      });
      if (config === undefined && runsNow) acting.mutate({ action: "trigger", configs: [saved] });
      return readAgain();
    },
  });
}

const change = async (config: Config, values: Values) =>
  body(
    await client.PUT("/api/v1/admin/data-collection/configs/{config}", {
      params: { path: { config: String(config.id) } },
      body: changeOf(contentOf(values)),
    }),
  );
