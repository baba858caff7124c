import { Stack, Title } from "@mantine/core";
import { useWords } from "../../preferences";

export default function Coverage() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.coverage}</Title>
    </Stack>
  );
}
