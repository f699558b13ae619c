import { describe, expect, test } from "vitest";
import { type GrantStanding, isPastOverlap, OVERLAP_MS, requireUsable } from "../../src/stages/require-usable.ts";
import { codeOf } from "./code-of.ts";

const now = new Date("2026-06-15T12:00:00Z");
const at = (ms: number): Date => new Date(now.getTime() + ms);
const good: GrantStanding = {
  status: "active",
  expiresAt: null,
  certificateExpiresAt: at(1),
  certificateRevokedAt: null,
  certificateSupersededAt: null,
};
const certificate = { notBefore: now, notAfter: at(1) };

test("a grant and certificate that are good are let through, to the last millisecond", () => {
  expect(codeOf(() => requireUsable(good, certificate, now))).toBeUndefined();
  expect(codeOf(() => requireUsable({ ...good, expiresAt: at(1) }, certificate, now))).toBeUndefined();
});

describe("refused", () => {
  test.each([
    ["grant_revoked", { status: "revoked" }, {}],
    ["grant_revoked", { certificateRevokedAt: at(-1) }, {}],
    ["grant_expired", { status: "expired" }, {}],
    ["grant_expired", { expiresAt: now }, {}],
    ["grant_expired", { certificateExpiresAt: now }, {}],
    ["grant_expired", {}, { notAfter: now }],
    ["certificate_not_yet_valid", {}, { notBefore: at(1) }],
    ["grant_suspended", { status: "suspended" }, {}],
    ["grant_inactive", { status: "pending" }, {}],
    ["certificate_superseded", { certificateSupersededAt: at(-OVERLAP_MS) }, {}],
  ] as const)("%s: grant %j, certificate %j", (code, grant, presented) => {
    expect(codeOf(() => requireUsable({ ...good, ...grant }, { ...certificate, ...presented }, now))).toBe(code);
  });

  test("a revocation goes before everything else: it is final, and says so", () => {
    const grant = { ...good, status: "revoked", expiresAt: at(-1), certificateSupersededAt: at(-1) } as const;
    expect(codeOf(() => requireUsable(grant, { notBefore: at(9), notAfter: at(-9) }, now))).toBe("grant_revoked");
  });
});

test("a superseded certificate goes on for the overlap, and no longer", () => {
  expect(isPastOverlap(null, now)).toBe(false);
  expect(isPastOverlap(at(1 - OVERLAP_MS), now)).toBe(false);
  expect(isPastOverlap(at(-OVERLAP_MS), now)).toBe(true);
});
