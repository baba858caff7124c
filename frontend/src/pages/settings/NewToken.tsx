import { Alert, Button, NativeSelect, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { body, client } from "../../api/client";
import { useFieldErrors, useProblemText } from "../../parts/Failure";
import { useWords } from "../../preferences";
import { useSession } from "../../shell/SessionGate";
import { ShownOnce } from "./ShownOnce";
import { type Token, useTokensChanged } from "./tokens";

const DAY_S = 86_400;
const DAYS = ["", "30", "90", "365"] as const;
const SCOPES = ["read", "operate", "admin"] as const;
const FIELDS = ["name", "scope", "expires_in_s"] as const;

type Scope = Token["scope"];

const isLockedOut = async () => body(await client.GET("/api/v1/session")).scope === null;

/**
 * The form for a new token, and its text afterwards.
 *
 * The `first` one ends the time in which the service needs none; this page goes on with it.
 */
export function NewToken({ first }: { first: boolean }) {
  const { settings } = useWords();
  const { signed_in, enter } = useSession();
  const changed = useTokensChanged();
  const problemText = useProblemText();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Scope>("read");
  const [days, setDays] = useState("");
  const only = first && !signed_in;
  const creating = useMutation({
    mutationFn: async () => {
      const expires_in_s = days === "" ? null : Number(days) * DAY_S;
      const made = body(
        await client.POST("/api/v1/admin/tokens", {
          body: { name: name.trim(), scope: only ? "admin" : scope, expires_in_s },
        }),
      );
      if (first && (await isLockedOut())) await enter(made.token);
      return made;
    },
    onSuccess: () => {
      setName("");
      return changed();
    },
  });
  const errors = useFieldErrors(creating.error, FIELDS);
  return (
    <Stack>
      {creating.data !== undefined && (
        <ShownOnce
          title={settings.tokenMade(creating.data.name)}
          secret={creating.data.token}
          onClose={creating.reset}
        />
      )}
      <form
        aria-label={settings.newToken}
        onSubmit={(event) => {
          event.preventDefault();
          creating.mutate();
        }}
      >
        <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} style={{ alignItems: "end" }}>
          <TextInput
            label={settings.tokenName}
            value={name}
            onChange={({ currentTarget }) => setName(currentTarget.value)}
            error={errors.of("name")}
            required
          />
          <NativeSelect
            label={settings.scope}
            value={only ? "admin" : scope}
            onChange={({ currentTarget }) => setScope(currentTarget.value as Scope)}
            error={errors.of("scope")}
            data={SCOPES.filter((one) => !only || one === "admin").map((value) => ({
              value,
              label: settings.scopes[value],
            }))}
          />
          <NativeSelect
            label={settings.expires}
            value={days}
            onChange={({ currentTarget }) => setDays(currentTarget.value)}
            error={errors.of("expires_in_s")}
            data={DAYS.map((value) => ({
              value,
              label: value === "" ? settings.never : settings.inDays(Number(value)),
            }))}
          />
          <Button type="submit" loading={creating.isPending}>
            {settings.createToken}
          </Button>
        </SimpleGrid>
      </form>
      {errors.rest !== null && (
        <Alert color="red" role="alert">
          {problemText(errors.rest)}
        </Alert>
      )}
      {first && (
        <Text size="sm" c="dimmed">
          {settings.firstToken}
        </Text>
      )}
    </Stack>
  );
}
