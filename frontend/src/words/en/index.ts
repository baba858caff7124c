import { collections } from "./collections";
import { coverage } from "./coverage";
import { frame } from "./frame";
import { inventory } from "./inventory";
import { market } from "./market";
import { overview } from "./overview";
import { runs } from "./runs";
import { settings } from "./settings";

/** What the page says, in English. Other languages have the same keys: the compiler checks it. */
export const en = {
  ...frame,
  overview,
  market,
  coverage,
  collections,
  runs,
  inventory,
  settings,
};

export type Words = typeof en;
