import { Grid, SimpleGrid, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { body, client } from "../../api/client";
import type { components } from "../../api/schema";
import { Answer } from "../../parts/Answer";
import { ActiveRuns } from "./ActiveRuns";
import { Alerts } from "./Alerts";
import { Budgets } from "./Budgets";
import { Figures } from "./Figures";
import { HealthLine } from "./HealthLine";
import { Jobs } from "./Jobs";
import { useRefreshed } from "./refreshed";
import { Upcoming } from "./Upcoming";

export type Summary = components["schemas"]["Summary"];
export const SUMMARY = ["summary"];

/** What one looks at each morning. */
export function Overview() {
  const summary = useQuery({
    queryKey: SUMMARY,
    queryFn: async () => body(await client.GET("/api/v1/summary")),
  });
  useRefreshed(summary.data);
  return <Answer query={summary}>{(found) => <Found summary={found} />}</Answer>;
}

function Found({ summary }: { summary: Summary }) {
  return (
    <Stack>
      <HealthLine summary={summary} />
      <Figures summary={summary} />
      <Grid>
        <Grid.Col span={{ base: 12, lg: 8 }}>
          <Stack>
            <ActiveRuns />
            <Jobs summary={summary} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 4 }}>
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 1 }}>
            <Alerts />
            <Upcoming summary={summary} />
            <Budgets summary={summary} />
          </SimpleGrid>
        </Grid.Col>
      </Grid>
    </Stack>
  );
}
