import { Button, NativeSelect, SimpleGrid } from "@mantine/core";
import { Search } from "../../parts/Search";
import { useWords } from "../../preferences";
import { usePlace } from "./filters";
import { REASONS } from "./heat";

const TIMEFRAMES = "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M".split(" ");
const ONLY_GAPS = "only_gaps";

/** Which series the map shows, and what a cell of it is. */
export function FilterForm() {
  const { coverage } = useWords();
  const { view, change } = usePlace();
  const { exchange, symbol, timeframe, onlyGaps, reason } = view;
  const isFiltered = onlyGaps || [exchange, symbol, timeframe, reason].some(Boolean);
  return (
    <SimpleGrid
      cols={{ base: 2, sm: 3, lg: 6 }}
      role="search"
      aria-label={coverage.filters}
      style={{ alignItems: "end" }}
    >
      <Search
        label={coverage.symbol}
        placeholder="BTC/USDT"
        value={symbol ?? ""}
        onChange={(text) => change({ symbol: text })}
      />
      <Search
        label={coverage.exchange}
        placeholder="binance"
        value={exchange ?? ""}
        onChange={(text) => change({ exchange: text })}
      />
      <NativeSelect
        label={coverage.timeframe}
        value={timeframe ?? ""}
        onChange={({ currentTarget }) => change({ timeframe: currentTarget.value })}
        data={[{ value: "", label: coverage.all }, ...TIMEFRAMES]}
      />
      <NativeSelect
        label={coverage.show}
        value={reason ?? (onlyGaps ? ONLY_GAPS : "")}
        onChange={({ currentTarget: { value } }) =>
          change({
            only_gaps: value === ONLY_GAPS ? "1" : "",
            reason: value === ONLY_GAPS ? "" : value,
          })
        }
        data={[
          { value: "", label: coverage.everything },
          { value: ONLY_GAPS, label: coverage.onlyGaps },
          ...REASONS.map((value) => ({ value, label: coverage.reason[value] ?? value })),
        ]}
      />
      <NativeSelect
        label={coverage.unit}
        value={view.unit}
        onChange={({ currentTarget: { value } }) =>
          change({ unit: value === "month" ? value : "", end: "" })
        }
        data={[
          { value: "day", label: coverage.day },
          { value: "month", label: coverage.month },
        ]}
      />
      {isFiltered && (
        <Button
          variant="subtle"
          onClick={() =>
            change({ exchange: "", symbol: "", timeframe: "", only_gaps: "", reason: "" })
          }
        >
          {coverage.clear}
        </Button>
      )}
    </SimpleGrid>
  );
}
