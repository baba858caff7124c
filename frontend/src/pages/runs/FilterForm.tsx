import { Button, NativeSelect, SimpleGrid, TextInput } from "@mantine/core";
import { Search } from "../../parts/Search";
import { useWords } from "../../preferences";
import { STATUSES, useFilters } from "./filters";

/** The filters of the list; they stand in the address, so that a list can be sent to others. */
export function FilterForm() {
  const { runs, state } = useWords();
  const [filters, change] = useFilters();
  return (
    <SimpleGrid
      cols={{ base: 2, sm: 3, lg: 6 }}
      role="search"
      aria-label={runs.filters}
      style={{ alignItems: "end" }}
    >
      <NativeSelect
        label={runs.status}
        value={filters.status ?? ""}
        onChange={({ currentTarget }) => change({ status: currentTarget.value })}
        data={[
          { value: "", label: runs.all },
          ...STATUSES.map((value) => ({ value, label: state[value] })),
        ]}
      />
      <Typed name="symbol" label={runs.symbol} placeholder="BTC/USDT" />
      <Typed name="job_name" label={runs.job} placeholder="collect_data_1" />
      <Typed name="job_type" label={runs.type} placeholder="data_collection" />
      <Moment name="start_date" label={runs.from} />
      <Moment name="end_date" label={runs.to} />
      {Object.keys(filters).length > 0 && (
        <Button
          variant="subtle"
          onClick={() =>
            change({
              status: "",
              symbol: "",
              job_name: "",
              job_type: "",
              start_date: "",
              end_date: "",
            })
          }
        >
          {runs.clear}
        </Button>
      )}
    </SimpleGrid>
  );
}

type TypedProps = { name: "symbol" | "job_name" | "job_type"; label: string; placeholder: string };

function Typed({ name, ...looks }: TypedProps) {
  const [filters, change] = useFilters();
  return (
    <Search {...looks} value={filters[name] ?? ""} onChange={(text) => change({ [name]: text })} />
  );
}

type MomentProps = { name: "start_date" | "end_date"; label: string };

/** A time in UTC, as the browser asks for one. */
function Moment({ name, label }: MomentProps) {
  const [filters, change] = useFilters();
  return (
    <TextInput
      type="datetime-local"
      label={label}
      value={localOf(filters[name])}
      onChange={({ currentTarget }) => {
        const { value } = currentTarget;
        change({ [name]: value && `${value}Z` });
      }}
    />
  );
}

const localOf = (iso: string | undefined) => iso?.replace(/Z$/, "") ?? "";
