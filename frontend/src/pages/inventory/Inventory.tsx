import { Stack, Title } from "@mantine/core";
import { useWords } from "../../preferences";

export default function Inventory() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.inventory}</Title>
    </Stack>
  );
}
