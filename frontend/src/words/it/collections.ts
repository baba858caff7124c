import type { Words } from "../en";

export const collections: Words["collections"] = {};
