import type { Words } from "../en";
import { collections } from "./collections";
import { coverage } from "./coverage";
import { frame } from "./frame";
import { inventory } from "./inventory";
import { market } from "./market";
import { overview } from "./overview";
import { runs } from "./runs";
import { settings } from "./settings";

/** What the page says, in Italian. */
export const it: Words = {
  ...frame,
  overview,
  market,
  coverage,
  collections,
  runs,
  inventory,
  settings,
};
