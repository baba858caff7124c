import { Stack, Title } from "@mantine/core";
import { useWords } from "../../preferences";
import { About } from "./About";
import { Appearance } from "./Appearance";
import { Retention } from "./Retention";
import { Sizes } from "./Sizes";
import { Targets } from "./Targets";
import { Tokens } from "./Tokens";

/** What the reader chooses, who and what the service talks to, and what it is. */
export default function Settings() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.settings}</Title>
      <Appearance />
      <Tokens />
      <Targets />
      <Retention />
      <Sizes />
      <About />
    </Stack>
  );
}
