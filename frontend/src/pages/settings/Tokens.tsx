import { ActionIcon, Checkbox, Stack, Table, Text } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { client } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { useTellFailure } from "../../parts/Failure";
import { useNow } from "../../parts/now";
import { Section } from "../../parts/Section";
import { When } from "../../parts/When";
import { useWords } from "../../preferences";
import { Confirm } from "./Confirm";
import { ForAdmins } from "./ForAdmins";
import { NewToken } from "./NewToken";
import { type Token, useTokens, useTokensChanged, works } from "./tokens";

/** Who may call the service. */
export function Tokens() {
  const { settings } = useWords();
  return <ForAdmins title={settings.tokens}>{() => <AllTokens />}</ForAdmins>;
}

function AllTokens() {
  const { settings } = useWords();
  const tokens = useTokens();
  return (
    <Section title={settings.tokens}>
      <Answer query={tokens} lines={2}>
        {(found) => <Listed tokens={found} />}
      </Answer>
    </Section>
  );
}

function Listed({ tokens }: { tokens: Token[] }) {
  const { settings } = useWords();
  const now = useNow();
  const [all, setAll] = useState(false);
  const [leaving, setLeaving] = useState<Token | null>(null);
  const working = tokens.filter((token) => works(token, now));
  const others = tokens.length - working.length;
  return (
    <Stack>
      <NewToken first={tokens.length === 0} />
      {working.length === 0 && others > 0 && <Text size="sm">{settings.noTokens}</Text>}
      {others > 0 && (
        <Checkbox
          label={settings.showEnded(others)}
          checked={all}
          onChange={({ currentTarget }) => setAll(currentTarget.checked)}
        />
      )}
      {(all ? tokens : working).length > 0 && (
        <TokenTable tokens={all ? tokens : working} now={now} onRevoke={setLeaving} />
      )}
      {leaving !== null && (
        <Revoking
          token={leaving}
          last={!working.some(({ id, scope }) => scope === "admin" && id !== leaving.id)}
          onEnd={() => setLeaving(null)}
        />
      )}
    </Stack>
  );
}

type TableProps = { tokens: Token[]; now: number; onRevoke: (token: Token) => void };

function TokenTable({ tokens, now, onRevoke }: TableProps) {
  const { settings } = useWords();
  return (
    <Table aria-label={settings.tokens} horizontalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{settings.name}</Table.Th>
          <Table.Th scope="col">{settings.scope}</Table.Th>
          <Table.Th scope="col" visibleFrom="md">
            {settings.created}
          </Table.Th>
          <Table.Th scope="col">{settings.lastUsed}</Table.Th>
          <Table.Th scope="col" visibleFrom="sm">
            {settings.expires}
          </Table.Th>
          <Table.Td />
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {tokens.map((token) => (
          <Table.Tr key={token.id} data-token={token.id}>
            <Table.Td style={{ overflowWrap: "anywhere" }}>{token.name}</Table.Td>
            <Table.Td>{token.scope}</Table.Td>
            <Table.Td visibleFrom="md">
              <When at={token.created_at} />
            </Table.Td>
            <Table.Td>
              {token.last_used_at === null ? settings.never : <When at={token.last_used_at} />}
            </Table.Td>
            <Table.Td visibleFrom="sm">
              <End token={token} />
            </Table.Td>
            <Table.Td ta="right">
              {works(token, now) && (
                <ActionIcon
                  variant="subtle"
                  color="red"
                  aria-label={settings.revokeNamed(token.name)}
                  onClick={() => onRevoke(token)}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function End({ token: { revoked_at, expires_at } }: { token: Token }) {
  const { settings } = useWords();
  if (revoked_at !== null) {
    return (
      <>
        {settings.revoked} <When at={revoked_at} />
      </>
    );
  }
  return expires_at === null ? settings.never : <When at={expires_at} />;
}

type RevokingProps = { token: Token; last: boolean; onEnd: () => void };

function Revoking({ token, last, onEnd }: RevokingProps) {
  const { settings } = useWords();
  const tellFailure = useTellFailure();
  const changed = useTokensChanged();
  const revoking = useMutation({
    mutationFn: () =>
      client.DELETE("/api/v1/admin/tokens/{token_id}", {
        params: { path: { token_id: token.id } },
      }),
    onError: tellFailure,
    onSettled: () => {
      onEnd();
      return changed();
    },
  });
  return (
    <Confirm
      title={settings.revokeNamed(token.name)}
      text={last ? settings.revokeLast : settings.revokeText}
      action={settings.revoke}
      busy={revoking.isPending}
      onConfirm={() => revoking.mutate()}
      onCancel={onEnd}
    />
  );
}
