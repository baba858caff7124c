import { expect, it } from "vitest";
import { type Token, works } from "./tokens";

const NOW = Date.parse("2026-11-02T12:00:00Z");
const token: Token = {
  id: 1,
  name: "me",
  scope: "read",
  created_at: "2026-11-01T12:00:00Z",
  expires_at: null,
  last_used_at: null,
  revoked_at: null,
};

it("counts a token as working until it is revoked or expires", () => {
  expect(works(token, NOW)).toBe(true);
  expect(works({ ...token, expires_at: "2026-11-02T12:00:01Z" }, NOW)).toBe(true);
  expect(works({ ...token, expires_at: "2026-11-02T12:00:00Z" }, NOW)).toBe(false);
  expect(works({ ...token, revoked_at: "2026-11-02T11:00:00Z" }, NOW)).toBe(false);
});
