import { useAddress, type Values } from "../../address";

const NAMES = ["status", "symbol", "job_name", "job_type", "start_date", "end_date"] as const;
export const STATUSES = ["running", "success", "failed", "cancelled"] as const;

/** What the list shows; times are ISO 8601 in UTC. */
export type Filters = Values<(typeof NAMES)[number]> & { status?: (typeof STATUSES)[number] };

/** The filters without a status that is none. */
export function known({ status, ...others }: Values<(typeof NAMES)[number]>): Filters {
  const found = STATUSES.find((one) => one === status);
  return found === undefined ? others : { ...others, status: found };
}

/** The filters, which stand in the address, and what changes some of them. */
export function useFilters(): [Filters, (changes: Values<(typeof NAMES)[number]>) => void] {
  const [values, change] = useAddress(NAMES);
  return [known(values), change];
}
