import { expect, it } from "vitest";
import { type LiveList, merged } from "./merged";

type Item = { id: number; text: string };
const LIST: LiveList<Item> = {
  key: ["items"],
  channel: { channel: "tasks" },
  fetch: async () => [],
  of: () => undefined,
  id: ({ id }) => id,
  keep: ({ text }) => text !== "gone",
  most: 3,
};
const item = (id: number, text = "old") => ({ id, text });

it("puts changed items in their places and new ones first", () => {
  const found = merged(LIST, [item(2), item(1)], [item(1, "new"), item(3, "new")]);
  expect(found).toEqual([item(3, "new"), item(2), item(1, "new")]);
});

it("drops what is no longer kept, and what is beyond the most", () => {
  expect(merged(LIST, [item(2), item(1)], [item(1, "gone")])).toEqual([item(2)]);
  expect(merged(LIST, [item(3), item(2), item(1)], [item(4)])).toEqual([item(4), item(3), item(2)]);
});
