import { Drawer } from "@mantine/core";
import { useWords } from "../../../preferences";
import { nameOf, type Place } from "../filters";
import type { Heat } from "../heat";
import { GapList } from "./GapList";

type Props = { place: Place | null; heat: Heat | undefined; close: () => void };

/** The gaps of one cell of the map, and their repair. */
export function GapDrawer({ place, heat, close }: Props) {
  const { coverage } = useWords();
  return (
    <Drawer
      opened={place !== null && heat !== undefined}
      onClose={close}
      position="right"
      size="lg"
      title={place === null ? "" : coverage.gapsOf(nameOf(place.series))}
      closeButtonProps={{ "aria-label": coverage.close }}
    >
      {place !== null && heat !== undefined && (
        <GapList
          key={`${nameOf(place.series)} ${place.at} ${heat.unit}`}
          place={place}
          heat={heat}
        />
      )}
    </Drawer>
  );
}
