import { describe, expect, test } from "vitest";
import { createInProcessLimits } from "@mosaicstack/coordination";
import { kinds, limitsContract } from "./limits-contract.ts";

const LEASE_MS = 400;

describe("the contract, in one process", () => {
  limitsContract(async () => createInProcessLimits({ leaseMs: LEASE_MS }), LEASE_MS);
});

test("one a minute comes back in a minute, to the millisecond", async () => {
  let now = 5_000_000;
  const limits = createInProcessLimits({ nowMs: () => now });
  const limit = { perMinute: 1, concurrent: "unlimited" } as const;
  expect(kinds([await limits.take("a", limit)])).toEqual(["taken"]);
  now += 59_999;
  expect(await limits.take("a", limit)).toMatchObject({ why: "rate", retryAfterMs: 1, resetMs: 1 });
  now += 1;
  expect(kinds([await limits.take("a", limit)])).toEqual(["taken"]);
});

test("of more keys than are kept the one taken from longest ago is forgotten", async () => {
  const limits = createInProcessLimits({ maxKeys: 2 });
  const limit = { perMinute: 2, concurrent: "unlimited" } as const;
  for (const key of ["a", "b", "a", "c"]) await limits.take(key, limit);
  expect(kinds([await limits.take("a", limit), await limits.take("b", limit)])).toEqual(["rate", "taken"]);
});
