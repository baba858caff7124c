import { Tooltip } from "@mantine/core";
import { useFormat } from "../preferences";
import { useNow } from "./now";

/** A time as seen from now; its date and time of day on hover and focus. */
export function When({ at }: { at: string }) {
  const format = useFormat();
  return (
    <Tooltip label={format.moment(at)} events={{ hover: true, focus: true, touch: true }}>
      <time dateTime={at}>{format.from(at, useNow())}</time>
    </Tooltip>
  );
}
