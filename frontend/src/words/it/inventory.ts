import type { Words } from "../en";

export const inventory: Words["inventory"] = {};
