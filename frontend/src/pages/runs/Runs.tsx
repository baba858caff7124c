import { Stack, Title } from "@mantine/core";
import { useWords } from "../../preferences";
import { FilterForm } from "./FilterForm";
import { Log } from "./Log";
import { Timeline } from "./Timeline";

/** What ran, and how it ended. */
export default function Runs() {
  const { pages } = useWords();
  return (
    <Stack>
      <Title order={1}>{pages.runs}</Title>
      <Timeline />
      <FilterForm />
      <Log />
    </Stack>
  );
}
