import { Alert, Stack, Text } from "@mantine/core";
import { IconKey } from "@tabler/icons-react";
import { Command } from "../../parts/Command";
import { useWords } from "../../preferences";

type Props = { title: string; secret: string; onClose: () => void };

/** A secret that the service has told, and tells no second time. */
export function ShownOnce({ title, secret, onClose }: Props) {
  const { settings } = useWords();
  return (
    <Alert
      color="yellow"
      icon={<IconKey aria-hidden />}
      title={title}
      withCloseButton
      closeButtonLabel={settings.close}
      onClose={onClose}
      mb="md"
    >
      <Stack gap="xs">
        <Command text={secret} />
        <Text size="sm">{settings.shownOnce}</Text>
      </Stack>
    </Alert>
  );
}
