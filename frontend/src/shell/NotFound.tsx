import { Anchor, Stack, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import { useWords } from "../preferences";

export function NotFound() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.missing}</Title>
      <Text>{pages.missingText}</Text>
      <Anchor component={Link} href="/">
        {pages.toOverview}
      </Anchor>
    </Stack>
  );
}
