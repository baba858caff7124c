import { Alert, Anchor, Button, Code, FileButton, Progress, Stack, Text } from "@mantine/core";
import { IconCircleCheck, IconUpload } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Link } from "wouter";
import type { components } from "../../../api/schema";
import { upload } from "../../../api/upload";
import { useProblemText } from "../../../parts/Failure";
import { useFormat, useWords } from "../../../preferences";
import classes from "../inventory.module.css";
import { INVENTORY } from "../read";
import { addressOf } from "../where";

type Kept = components["schemas"]["CatalogueKept"];

const MOST_BYTES = 64 * 1024 * 1024;
const COLUMNS = "sku;name;scryfall_id;tcgplayer_id;cardmarket_id;set_code;collector_number";

/** Replace the user's own catalogue by a file. */
export function CatalogueUpload() {
  const { inventory } = useWords();
  const textOf = useProblemText();
  const reset = useRef<() => void>(null);
  const [tooLarge, setTooLarge] = useState(false);
  const [sent, setSent] = useState(0);
  const sending = useSending(setSent);
  const send = (file: File | null) => {
    // The same file can be chosen again once it is corrected.
    reset.current?.();
    if (file === null) return;
    setTooLarge(file.size > MOST_BYTES);
    setSent(0);
    sending.reset();
    if (file.size <= MOST_BYTES) sending.mutate(file);
  };
  return (
    <Stack maw={720}>
      <Text>{inventory.uploadText}</Text>
      <div>
        <Text size="sm">{inventory.uploadColumns}</Text>
        <Code block className={classes.sample} tabIndex={0}>
          {COLUMNS}
        </Code>
      </div>
      <FileButton onChange={send} accept=".csv,.tsv,.txt,.json" resetRef={reset}>
        {(props) => (
          <Button
            {...props}
            loading={sending.isPending}
            leftSection={<IconUpload size={16} aria-hidden />}
            style={{ alignSelf: "start" }}
          >
            {inventory.choose}
          </Button>
        )}
      </FileButton>
      {sending.isPending && <Sending sent={sent} />}
      {tooLarge && <Refused text={inventory.tooLarge} />}
      {sending.error !== null && <Refused text={textOf(sending.error)} />}
      {sending.data !== undefined && <Done kept={sending.data} />}
    </Stack>
  );
}

function useSending(onSent: (share: number) => void) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (file: File) =>
      upload<Kept>({
        path: "/api/v1/inventory/catalog",
        file,
        contentType: /\.json$/i.test(file.name) ? "application/json" : "text/csv",
        onSent,
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: INVENTORY }),
  });
}

function Sending({ sent }: { sent: number }) {
  const { inventory } = useWords();
  const format = useFormat();
  const percent = Math.floor(100 * sent);
  const text = sent < 1 ? inventory.sending(format.percent(percent)) : inventory.mapping;
  return (
    <div>
      <Text size="sm">{text}</Text>
      <Progress value={percent} aria-label={text} animated />
    </div>
  );
}

function Refused({ text }: { text: string }) {
  return (
    <Text c="red" role="alert" style={{ overflowWrap: "anywhere" }}>
      {text}
    </Text>
  );
}

function Done({ kept }: { kept: Kept }) {
  const { inventory } = useWords();
  return (
    <Alert color="teal" icon={<IconCircleCheck aria-hidden />} role="status">
      <Text size="sm">{inventory.uploaded(kept.rows, kept.mapped)}</Text>
      <Anchor size="sm" component={Link} href={addressOf("unmapped")}>
        {inventory.toUnmapped}
      </Anchor>
    </Alert>
  );
}
