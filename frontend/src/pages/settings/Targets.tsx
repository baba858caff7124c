import { Button, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { client } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { useTellFailure } from "../../parts/Failure";
import { Section } from "../../parts/Section";
import { useWords } from "../../preferences";
import { Confirm } from "./Confirm";
import { ForAdmins } from "./ForAdmins";
import { ShownOnce } from "./ShownOnce";
import { type KeptTarget, TargetForm } from "./TargetForm";
import { TargetRow } from "./TargetRow";
import { type Target, useTargets, useTargetsChanged } from "./targets";

/** Where alerts are sent. */
export function Targets() {
  const { settings } = useWords();
  return <ForAdmins title={settings.targets}>{() => <AllTargets />}</ForAdmins>;
}

/** What is done: a form for a new target, one for a present one, or a question. */
type Doing = { what: "add" } | { what: "edit" | "remove"; target: Target } | null;

function AllTargets() {
  const { settings } = useWords();
  const [doing, setDoing] = useState<Doing>(null);
  const [kept, setKept] = useState<KeptTarget | null>(null);
  const targets = useTargets();
  const end = () => setDoing(null);
  const add = (
    <Button
      size="xs"
      leftSection={<IconPlus size={14} aria-hidden />}
      onClick={() => setDoing({ what: "add" })}
    >
      {settings.addTarget}
    </Button>
  );
  return (
    <Section title={settings.targets} aside={add}>
      {kept !== null && kept.signing_key !== null && (
        <ShownOnce
          title={settings.signingKeyOf(kept.name)}
          secret={kept.signing_key}
          onClose={() => setKept(null)}
        />
      )}
      <Answer query={targets} lines={2}>
        {(found) =>
          found.length === 0 ? (
            <Text size="sm">{settings.noTargets}</Text>
          ) : (
            <Stack component="ul" m={0} p={0} style={{ listStyle: "none" }}>
              {found.map((target) => (
                <TargetRow
                  key={target.id}
                  target={target}
                  onEdit={() => setDoing({ what: "edit", target })}
                  onRemove={() => setDoing({ what: "remove", target })}
                />
              ))}
            </Stack>
          )
        }
      </Answer>
      {(doing?.what === "add" || doing?.what === "edit") && (
        <TargetForm
          target={doing.what === "edit" ? doing.target : null}
          onEnd={end}
          onKept={(target) => {
            setKept(target);
            end();
          }}
        />
      )}
      {doing?.what === "remove" && <Removing target={doing.target} onEnd={end} />}
    </Section>
  );
}

function Removing({ target, onEnd }: { target: Target; onEnd: () => void }) {
  const { settings } = useWords();
  const tellFailure = useTellFailure();
  const changed = useTargetsChanged();
  const removing = useMutation({
    mutationFn: () =>
      client.DELETE("/api/v1/admin/alerts/targets/{target_id}", {
        params: { path: { target_id: target.id } },
      }),
    onError: tellFailure,
    onSettled: () => {
      onEnd();
      return changed();
    },
  });
  return (
    <Confirm
      title={settings.removeNamed(target.name)}
      text={settings.removeText}
      action={settings.remove}
      busy={removing.isPending}
      onConfirm={() => removing.mutate()}
      onCancel={onEnd}
    />
  );
}
