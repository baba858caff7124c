import { Button, NativeSelect, Select, SimpleGrid, TextInput } from "@mantine/core";
import { useDebouncedCallback, useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { body, client } from "../../../api/client";
import { useWords } from "../../../preferences";
import { INVENTORY } from "../read";
import { useWhere, type Where } from "../where";

const PAUSE_MS = 300;
const MOST_OFFERED = 50;
const LISTS = [...INVENTORY, "lists"];
const NONE: Where = {
  q: "",
  game: "",
  expansion: "",
  condition: "",
  language: "",
  foil: "",
  mapped: "",
  gone: "",
};

/** What narrows the products; it stands in the address. */
export function ProductFilters() {
  const { inventory } = useWords();
  const [where, go] = useWhere();
  const filtered = Object.keys(NONE).some((name) => where[name as keyof Where] !== undefined);
  return (
    <SimpleGrid
      cols={{ base: 2, sm: 3, lg: 4 }}
      role="search"
      aria-label={inventory.filters}
      style={{ alignItems: "end" }}
    >
      <Search />
      <Games />
      <Expansions />
      <Values />
      <Choice
        name="foil"
        label={inventory.foil}
        options={[
          ["true", inventory.foilOnly],
          ["false", inventory.plainOnly],
        ]}
      />
      <Choice
        name="mapped"
        label={inventory.mapped}
        options={[
          ["true", inventory.mappedOnly],
          ["false", inventory.unmappedOnly],
        ]}
      />
      <Choice
        name="gone"
        label={inventory.stock}
        none={inventory.onSale}
        options={[
          ["true", inventory.gone],
          ["any", inventory.both],
        ]}
      />
      {filtered && (
        <Button variant="subtle" onClick={() => go(NONE)}>
          {inventory.clear}
        </Button>
      )}
    </SimpleGrid>
  );
}

/** A part of the name: the list follows when the reader pauses. */
function Search() {
  const { inventory } = useWords();
  const [where, go] = useWhere();
  const kept = where.q ?? "";
  const [text, setText] = useState(kept);
  useEffect(() => setText(kept), [kept]);
  const goSoon = useDebouncedCallback((q: string) => go({ q: q.trim() }), PAUSE_MS);
  return (
    <TextInput
      type="search"
      label={inventory.search}
      value={text}
      maxLength={50}
      onChange={({ currentTarget: { value } }) => {
        setText(value);
        goSoon(value);
      }}
    />
  );
}

type ChoiceProps = {
  name: "game" | "condition" | "language" | "foil" | "mapped" | "gone";
  label: string;
  none?: string;
  options: [value: string, label: string][];
};

function Choice({ name, label, none, options }: ChoiceProps) {
  const { inventory } = useWords();
  const [where, go] = useWhere();
  return (
    <NativeSelect
      label={label}
      value={where[name] ?? ""}
      onChange={({ currentTarget }) => go({ [name]: currentTarget.value })}
      data={[
        { value: "", label: none ?? inventory.all },
        ...options.map(([value, shown]) => ({ value, label: shown })),
      ]}
    />
  );
}

function Games() {
  const { inventory } = useWords();
  const games = useQuery({
    queryKey: [...LISTS, "games"],
    queryFn: async () => body(await client.GET("/api/v1/inventory/games")).items,
  });
  const options = (games.data ?? []).map(({ id, name, display_name }): [string, string] => [
    String(id),
    display_name ?? name,
  ]);
  return <Choice name="game" label={inventory.game} options={options} />;
}

/** Conditions and languages, as CardTrader names them. */
function Values() {
  const { inventory } = useWords();
  const [{ game }] = useWhere();
  const values = useQuery({
    queryKey: [...LISTS, "values", game],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/inventory/values", {
          params: { query: game === undefined ? {} : { game: Number(game) } },
        }),
      ),
    placeholderData: keepPreviousData,
  });
  const options = (list: string[] | undefined) =>
    (list ?? []).map((value): [string, string] => [value, value]);
  return (
    <>
      <Choice
        name="condition"
        label={inventory.condition}
        options={options(values.data?.conditions)}
      />
      <Choice
        name="language"
        label={inventory.language}
        options={options(values.data?.languages)}
      />
    </>
  );
}

/** One of thousands of expansions: the service finds those that match what is typed. */
function Expansions() {
  const { inventory } = useWords();
  const [{ game, expansion }, go] = useWhere();
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed.trim(), PAUSE_MS);
  const found = useQuery({
    queryKey: [...LISTS, "expansions", game, q],
    queryFn: async () =>
      body(
        await client.GET("/api/v1/inventory/expansions", {
          params: {
            query: {
              limit: MOST_OFFERED,
              ...(q === "" ? {} : { q: q.slice(0, 50) }),
              ...(game === undefined ? {} : { game: Number(game) }),
            },
          },
        }),
      ).items,
    placeholderData: keepPreviousData,
  });
  const data = (found.data ?? []).map(({ id, name, code }) => ({
    value: String(id),
    label: `${name} (${code})`,
  }));
  return (
    <Select
      label={inventory.expansion}
      placeholder={inventory.findExpansion}
      searchable
      clearable
      clearButtonProps={{ "aria-label": inventory.clear }}
      data={data}
      value={expansion ?? null}
      onSearchChange={setTyped}
      filter={({ options }) => options}
      onChange={(value) => go({ expansion: value ?? "" })}
    />
  );
}
