import { useFormat } from "../preferences";
import { useNow } from "./now";

/** A time as seen from now; its date and time of day on hover. A page has dozens. */
export function When({ at }: { at: string }) {
  const format = useFormat();
  return (
    <time dateTime={at} title={format.moment(at)}>
      {format.from(at, useNow())}
    </time>
  );
}
