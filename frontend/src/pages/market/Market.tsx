import { Stack, Title } from "@mantine/core";
import { useWords } from "../../preferences";

export default function Market() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.market}</Title>
    </Stack>
  );
}
