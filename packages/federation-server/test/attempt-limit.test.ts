import { expect, test } from "vitest";
import { createAttemptLimit } from "../src/attempt-limit.ts";

let now = Date.UTC(2026, 0, 1);
const clock = { now: () => new Date(now) };

function limitOf(max: number, maxKeys?: number) {
  return createAttemptLimit({ clock, max, windowMs: 60_000, ...(maxKeys === undefined ? {} : { maxKeys }) });
}

test("as many as allowed, then none until the window is over", () => {
  const limit = limitOf(2);
  expect(["a", "a", "b"].map((key) => limit.attempt(key).kind)).toEqual(["allowed", "allowed", "allowed"]);
  now += 20_500;
  expect(limit.attempt("a")).toEqual({ kind: "refused", retryAfterSeconds: 40 });
  now += 39_500;
  expect(limit.attempt("a").kind).toBe("allowed");
});

test("an attempt that is forgiven is none, and is forgiven once", () => {
  const limit = limitOf(1);
  const first = limit.attempt("a");
  expect(limit.attempt("a").kind).toBe("refused");
  if (first.kind === "allowed") {
    first.forgive();
    first.forgive();
  }
  expect([limit.attempt("a").kind, limit.attempt("a").kind]).toEqual(["allowed", "refused"]);
});

test("a clock that is set back two days locks nobody out", () => {
  const limit = limitOf(1);
  limit.attempt("a");
  now -= 2 * 86_400_000;
  expect(limit.attempt("a").kind).toBe("allowed");
});

test("of more keys than are kept the oldest is forgotten", () => {
  const limit = limitOf(1, 2);
  for (const key of ["a", "b", "c"]) limit.attempt(key);
  expect(["c", "b", "a"].map((key) => limit.attempt(key).kind)).toEqual(["refused", "refused", "allowed"]);
});
