import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useProblemText } from "../../parts/Failure";
import { useWords } from "../../preferences";

type Props = {
  title: string;
  text: string;
  action: string;
  colour: string;
  pending: boolean;
  error: Error | null;
  onConfirm: () => void;
  onClose: () => void;
};

/** A question before what cannot be undone; the way back has the focus. */
export function Confirm({ title, text, action, colour, pending, error, ...on }: Props) {
  const { inventory } = useWords();
  const textOf = useProblemText();
  return (
    <Modal
      opened
      onClose={on.onClose}
      title={title}
      closeButtonProps={{ "aria-label": inventory.close }}
    >
      <Stack>
        <Text>{text}</Text>
        {error !== null && (
          <Text c="red" size="sm" role="alert">
            {textOf(error)}
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={on.onClose} data-autofocus>
            {inventory.keep}
          </Button>
          <Button color={colour} loading={pending} onClick={on.onConfirm}>
            {action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
