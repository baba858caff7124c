import { useCallback } from "react";
import { useSearchParams } from "wouter";

/** Some of the values that stand in the address of a page; an empty one is none. */
export type Values<Name extends string> = Partial<Record<Name, string>>;

export function valuesOf<Name extends string>(
  names: readonly Name[],
  address: URLSearchParams,
): Values<Name> {
  const given = names.flatMap((name) => {
    const value = address.get(name)?.trim();
    return value ? [[name, value]] : [];
  });
  return Object.fromEntries(given);
}

/**
 * Values that stand in the address, so that a view can be sent to others; and what changes some
 * of them. An empty text takes one away. `names` must keep its identity.
 */
export function useAddress<Name extends string>(
  names: readonly Name[],
): [Values<Name>, (changes: Values<Name>) => void] {
  const [address, setAddress] = useSearchParams();
  const change = useCallback(
    (changes: Values<Name>) => {
      setAddress((before) => changed(before, changes), { replace: true });
    },
    [setAddress],
  );
  return [valuesOf(names, address), change];
}

function changed(before: URLSearchParams, changes: Values<string>): URLSearchParams {
  const next = new URLSearchParams(before);
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return next;
}
