import type { Words } from "../en";

export const market: Words["market"] = {};
