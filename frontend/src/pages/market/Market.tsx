import { Grid, Stack, Title } from "@mantine/core";
import { useMemo } from "react";
import { useWords } from "../../preferences";
import { SeriesList } from "./SeriesList";
import { SeriesView } from "./SeriesView";
import { keyOf, useChosen, useRecent, useSearch } from "./series";

/** The collected series, and the candles of the one that is chosen. */
export default function Market() {
  const { pages } = useWords();
  const [named, choose] = useChosen();
  const [{ q }] = useSearch();
  // Until one is chosen, the first of the list.
  const first = useRecent(q, 0).data?.items[0];
  const chosen = useMemo(
    () => named ?? (first === undefined ? null : keyOf(first)),
    [named, first],
  );
  return (
    <Stack>
      <Title order={1}>{pages.market}</Title>
      <Grid>
        <Grid.Col span={{ base: 12, md: 8, xl: 9 }} order={{ base: 1, md: 2 }}>
          {chosen !== null && (
            <SeriesView
              key={`${chosen.exchange} ${chosen.symbol} ${chosen.timeframe}`}
              series={chosen}
              onChoose={choose}
            />
          )}
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4, xl: 3 }} order={{ base: 2, md: 1 }}>
          <SeriesList chosen={chosen} onChoose={choose} />
        </Grid.Col>
      </Grid>
    </Stack>
  );
}
