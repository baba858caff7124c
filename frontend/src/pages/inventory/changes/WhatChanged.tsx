import { Text } from "@mantine/core";
import { useFormat, useWords } from "../../../preferences";
import { type Changed, differencesOf } from "./changed";

type Props = { changes: Changed; currency: string };

const LONGEST = 60;

/** The old and the new value of each column that changed. */
export function WhatChanged({ changes, currency }: Props) {
  const { inventory } = useWords();
  const shownOf = useShown(currency);
  return differencesOf(changes).map(([name, old, now]) => (
    <Text key={name} size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
      {inventory.fields[name] ?? name}: {inventory.was(shownOf(name, old), shownOf(name, now))}
    </Text>
  ));
}

/** What writes the value of a column. */
function useShown(currency: string): (name: string, value: unknown) => string {
  const { inventory } = useWords();
  const format = useFormat();
  return (name, value) => {
    switch (typeof value) {
      case "boolean":
        return value ? inventory.yes : inventory.no;
      case "number":
        return name === "price_cents" ? format.money(value, currency) : format.number(value);
      case "string":
        return value === "" ? inventory.nothing : shortened(value);
      default:
        return value === null ? inventory.nothing : shortened(JSON.stringify(value));
    }
  };
}

const shortened = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text);
