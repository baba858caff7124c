import { Button, Group, NativeSelect, Stack, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { useAddress } from "../../address";
import { Answer } from "../../parts/Answer";
import { useCursors } from "../../parts/cursors";
import { DataTable } from "../../parts/DataTable";
import { Pager } from "../../parts/Pager";
import { Search } from "../../parts/Search";
import { useWords } from "../../preferences";
import { Chosen } from "./Chosen";
import { ConfigForm } from "./ConfigForm";
import { useColumns } from "./columns";
import { DefaultSchedule } from "./DefaultSchedule";
import { type Config, ROWS, useBeatsOf, useConfigs, useFilters, useRefreshedConfigs } from "./list";

const OPENED = ["form"] as const;

/** What is collected automatically, and when. */
export default function Collections() {
  const { pages, collections } = useWords();
  const [{ form }, change] = useAddress(OPENED);
  const [edited, edit] = useState<Config | null>(null);
  useRefreshedConfigs();
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1}>{pages.collections}</Title>
        <Button leftSection={<IconPlus size={16} />} onClick={() => change({ form: "new" })}>
          {collections.add}
        </Button>
      </Group>
      <DefaultSchedule />
      <Filters />
      <List onEdit={edit} />
      {form === "new" && <ConfigForm onClose={() => change({ form: "" })} />}
      {edited !== null && <ConfigForm config={edited} onClose={() => edit(null)} />}
    </Stack>
  );
}

function Filters() {
  const { collections } = useWords();
  const [filters, change] = useFilters();
  return (
    <Group role="search" aria-label={collections.filters} align="end">
      <Search
        label={collections.search}
        placeholder="BTC"
        value={filters.q ?? ""}
        onChange={(q) => change({ q })}
      />
      <NativeSelect
        label={collections.state}
        value={filters.enabled ?? ""}
        onChange={({ currentTarget }) => change({ enabled: currentTarget.value })}
        data={[
          { value: "", label: collections.all },
          { value: "true", label: collections.enabled },
          { value: "false", label: collections.disabled },
        ]}
      />
    </Group>
  );
}

function List({ onEdit }: { onEdit: (config: Config) => void }) {
  const { collections } = useWords();
  const [filters] = useFilters();
  const cursors = useCursors<number>(JSON.stringify(filters));
  const skip = cursors.cursor ?? 0;
  const configs = useConfigs(skip);
  return (
    <Answer query={configs}>
      {(rows) => (
        <>
          {rows.length === 0 && Object.keys(filters).length === 0 ? (
            <Text c="dimmed">{collections.none}</Text>
          ) : (
            <Rows configs={rows} onEdit={onEdit} />
          )}
          <Pager
            cursors={cursors}
            following={rows.length < ROWS ? null : skip + ROWS}
            label={collections.configs}
          />
        </>
      )}
    </Answer>
  );
}

type RowsProps = { configs: Config[]; onEdit: (config: Config) => void };

function Rows({ configs, onEdit }: RowsProps) {
  const { collections } = useWords();
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const beats = useBeatsOf(configs).data;
  const columns = useColumns(beats, onEdit);
  const here = configs.filter(({ id }) => chosen.has(String(id)));
  return (
    <>
      <Chosen configs={here} onDone={() => choose(new Set())} />
      <DataTable
        label={collections.configs}
        columns={columns}
        rows={configs}
        idOf={({ id }) => String(id)}
        nameOf={({ symbol }) => symbol}
        chosen={chosen}
        onChoose={choose}
      />
    </>
  );
}
