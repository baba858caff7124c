import { Button, Code, Modal, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Session } from "../api/session";
import { useProblemText } from "../parts/Failure";
import { useWords } from "../preferences";
import { signIn } from "./SessionGate";

type Props = { onEntered: (session: Session) => void; ended?: boolean };

/** The form for a token; `ended`: over a page whose session has ended. */
export function SignIn({ onEntered, ended = false }: Props) {
  const { signIn: words } = useWords();
  const [token, setToken] = useState("");
  const problemText = useProblemText();
  const entering = useMutation({ mutationFn: () => signIn(token.trim()), onSuccess: onEntered });
  return (
    <Modal opened onClose={() => undefined} withCloseButton={false} title={words.title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          entering.mutate();
        }}
      >
        <Stack>
          <Text size="sm">{ended ? words.ended : words.text}</Text>
          <PasswordInput
            label={words.token}
            value={token}
            onChange={({ currentTarget }) => setToken(currentTarget.value)}
            error={entering.error && problemText(entering.error)}
            autoComplete="current-password"
            data-autofocus
            required
          />
          <Button type="submit" loading={entering.isPending}>
            {words.submit}
          </Button>
          <Text size="sm" c="dimmed">
            {words.how} <Code>penstock token create --name me --scope operate</Code>
          </Text>
        </Stack>
      </form>
    </Modal>
  );
}
