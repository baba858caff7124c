import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Failure } from "./Failure";
import { Loading } from "./Loading";

type Props<T> = {
  query: UseQueryResult<T>;
  children: (data: T) => ReactNode;
  lines?: number;
};

/** What a query found, or that it is on its way, or why it is not there. */
export function Answer<T>({ query, children, lines }: Props<T>) {
  const { data, error } = query;
  if (data === undefined && error === null) {
    return lines === undefined ? <Loading /> : <Loading lines={lines} />;
  }
  return (
    <>
      {error !== null && <Failure error={error} retry={() => void query.refetch()} />}
      {data !== undefined && children(data)}
    </>
  );
}
