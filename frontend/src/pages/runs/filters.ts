import { useSearchParams } from "wouter";

/** What the list shows, as it stands in the address of the page. */
export type Filters = {
  status?: "running" | "success" | "failed" | "cancelled";
  symbol?: string;
  job_name?: string;
  job_type?: string;
  /** ISO 8601 in UTC. */
  start_date?: string;
  end_date?: string;
};

const NAMES = ["status", "symbol", "job_name", "job_type", "start_date", "end_date"] as const;
const STATUSES = ["running", "success", "failed", "cancelled"];

export function filtersOf(address: URLSearchParams): Filters {
  const given = NAMES.flatMap((name) => {
    const value = address.get(name)?.trim();
    const isKnown = name !== "status" || STATUSES.includes(value ?? "");
    return value && isKnown ? [[name, value]] : [];
  });
  return Object.fromEntries(given);
}

/** The filters, and what changes some of them; an empty text takes one away. */
export function useFilters(): [Filters, (changes: Partial<Record<keyof Filters, string>>) => void] {
  const [address, setAddress] = useSearchParams();
  const change = (changes: Partial<Record<keyof Filters, string>>) => {
    setAddress(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries(changes)) {
          if (value === "") next.delete(name);
          else next.set(name, value);
        }
        return next;
      },
      { replace: true },
    );
  };
  return [filtersOf(address), change];
}
