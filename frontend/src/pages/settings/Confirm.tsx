import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useWords } from "../../preferences";

type Props = {
  title: string;
  text: string;
  /** What the button does. */
  action: string;
  busy: boolean;
  onConfirm: () => void;
  onCancel: () => void;
};

/** A question before what cannot be undone. */
export function Confirm({ title, text, action, busy, onConfirm, onCancel }: Props) {
  const { settings } = useWords();
  return (
    <Modal
      opened
      onClose={onCancel}
      title={title}
      centered
      closeButtonProps={{ "aria-label": settings.close }}
    >
      <Stack>
        <Text size="sm">{text}</Text>
        <Group justify="end">
          <Button variant="default" onClick={onCancel} data-autofocus>
            {settings.cancel}
          </Button>
          <Button color="red" loading={busy} onClick={onConfirm}>
            {action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
