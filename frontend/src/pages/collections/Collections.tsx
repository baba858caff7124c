import { Stack, Title } from "@mantine/core";
import { useWords } from "../../preferences";

export default function Collections() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.collections}</Title>
    </Stack>
  );
}
