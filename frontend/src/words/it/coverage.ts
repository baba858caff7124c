import type { Words } from "../en";

export const coverage: Words["coverage"] = {};
