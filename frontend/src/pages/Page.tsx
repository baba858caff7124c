import { useEffect, useState } from "react";
import { Loading } from "../parts/Loading";
import { fetchPage, type PagePath, pageOf } from "./code";

/**
 * A page whose code comes with its first picture.
 *
 * Not by `lazy`: React holds what comes after a fallback back for 300 ms.
 */
export function Page({ path }: { path: PagePath }) {
  const [, setFetched] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const Shown = pageOf(path);
  useEffect(() => {
    if (Shown !== undefined) return;
    fetchPage(path).then(() => setFetched((times) => times + 1), setError);
  }, [path, Shown]);
  // For the boundary around the page.
  if (error !== null) throw error;
  return Shown === undefined ? <Loading /> : <Shown />;
}
