import { Autocomplete, Chip, Group, Input, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { body, client } from "../../api/client";
import { useWords } from "../../preferences";
import type { PartProps } from "./ConfigForm";
import { TIMEFRAMES } from "./values";

const PAUSE_MS = 250;
const MOST = 20;

type NameProps = PartProps & { fixed: boolean };

/** A symbol, with those of the exchanges that begin so. */
export function SymbolInput({ values, change, errors, fixed }: NameProps) {
  const { collections } = useWords();
  const [typing, setTyping] = useState(false);
  const found = useSymbols(values.symbol);
  const label = collections.symbol;
  if (fixed) return <TextInput label={label} value={values.symbol} readOnly variant="filled" />;
  return (
    <Autocomplete
      label={label}
      placeholder="BTC/USDT"
      data-autofocus
      value={values.symbol}
      maxLength={50}
      data={[...new Set(found.map(({ symbol }) => symbol))]}
      filter={({ options }) => options}
      // While one types, half a name is not wrong yet.
      error={typing ? undefined : errors.of("symbol")}
      onFocus={() => setTyping(true)}
      onBlur={() => setTyping(false)}
      onChange={(symbol) => {
        const listed = found.find((one) => one.symbol === symbol);
        change({ symbol, ...(listed === undefined ? {} : { exchange: listed.exchange }) });
      }}
    />
  );
}

function useSymbols(typed: string) {
  const [q] = useDebouncedValue(typed.trim(), PAUSE_MS);
  const symbols = useQuery({
    queryKey: ["symbols", q],
    enabled: q !== "",
    queryFn: async () => {
      const query = { q, status: "trading" as const, limit: MOST };
      return body(await client.GET("/api/v1/symbols", { params: { query } })).items;
    },
    placeholderData: (before) => before,
  });
  return q === "" ? [] : (symbols.data ?? []);
}

/** One of the seller's accounts. */
export function AccountInput({ values, change, errors, fixed }: NameProps) {
  const { collections } = useWords();
  const accounts = useQuery({
    queryKey: ["accounts"],
    queryFn: async () => body(await client.GET("/api/v1/inventory/accounts")).items,
  });
  const names = (accounts.data ?? []).map(({ name }) => name);
  const label = collections.account;
  if (fixed) return <TextInput label={label} value={values.symbol} readOnly variant="filled" />;
  return (
    <NativeSelect
      label={label}
      value={values.symbol}
      error={errors.of("symbol") ?? accounts.error?.message}
      description={accounts.isSuccess && names.length === 0 ? collections.noAccount : undefined}
      onChange={({ currentTarget }) => change({ symbol: currentTarget.value })}
      data={[{ value: "", label: collections.choose }, ...names]}
    />
  );
}

/** The timeframes of a symbol's candles. */
export function TimeframesInput({ values, change, errors }: PartProps) {
  const { collections } = useWords();
  const id = useId();
  return (
    <Input.Wrapper
      label={collections.timeframes}
      labelElement="div"
      labelProps={{ id }}
      error={errors.of("timeframes")}
    >
      <Chip.Group
        multiple
        value={values.timeframes}
        onChange={(chosen) =>
          change({ timeframes: TIMEFRAMES.filter((timeframe) => chosen.includes(timeframe)) })
        }
      >
        <Group gap={6} mt={4} role="group" aria-labelledby={id}>
          {TIMEFRAMES.map((timeframe) => (
            <Chip key={timeframe} value={timeframe} size="xs">
              {timeframe}
            </Chip>
          ))}
        </Group>
      </Chip.Group>
    </Input.Wrapper>
  );
}
