import { Group, SegmentedControl, Stack, Title } from "@mantine/core";
import { useAddress } from "../../address";
import { useWords } from "../../preferences";
import { FilterForm } from "./FilterForm";
import { Log } from "./Log";
import { Reports } from "./Reports";
import { Timeline } from "./Timeline";

const VIEW = ["view"] as const;

/** What ran, and how it ended: one by one, or in numbers. */
export default function Runs() {
  const { pages, runs } = useWords();
  const [address, change] = useAddress(VIEW);
  const view = address.view === "reports" ? "reports" : "";
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1}>{pages.runs}</Title>
        <SegmentedControl
          aria-label={runs.view}
          value={view}
          onChange={(chosen) => change({ view: chosen })}
          data={[
            { value: "", label: runs.list },
            { value: "reports", label: runs.reports },
          ]}
        />
      </Group>
      {view === "reports" ? (
        <Reports />
      ) : (
        <>
          <Timeline />
          <FilterForm />
          <Log />
        </>
      )}
    </Stack>
  );
}
