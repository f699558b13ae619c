import { setTimeout as wait } from "node:timers/promises";
import { burstOf, type RateLimits, type Take } from "@mosaicstack/coordination";
import fc from "fast-check";
import { expect, test } from "vitest";

type Taken = Extract<Take, { kind: "taken" }>;

/** @returns what was taken @throws Error where it was refused */
export function taken(take: Take): Taken {
  if (take.kind !== "taken") throw new Error(`refused for its ${take.why}`);
  return take;
}

export const kinds = (takes: readonly Take[]): string[] =>
  takes.map((take) => (take.kind === "taken" ? "taken" : take.why));

let keys = 0;

/** A key nobody else uses. */
export const newKey = (): string => `grant:${process.pid}-${(keys += 1)}`;

/** What every adapter's limits do. `open` gives those of one replica, whose leases last `leaseMs`. */
export function limitsContract(open: () => Promise<RateLimits>, leaseMs: number): void {
  test("the burst is a sixth of a minute's, at least 10, and never more than a minute's", () => {
    expect([1, 9, 10, 30, 60, 61, 1200, 1_000_000].map(burstOf)).toEqual([1, 9, 10, 10, 10, 11, 200, 166_667]);
  });

  test("the burst can be taken at once, then one in its time; what is refused counts for nothing", async () => {
    const limits = await open();
    const key = newKey();
    const limit = { perMinute: 600, concurrent: "unlimited" } as const;
    const burst = await Promise.all(Array.from({ length: 150 }, () => limits.take(key, limit)));
    const passed = kinds(burst).filter((kind) => kind === "taken").length;
    expect(passed).toBeGreaterThanOrEqual(100);
    expect(passed).toBeLessThanOrEqual(102);
    const refused = await limits.take(key, limit);
    if (refused.kind === "taken") throw new Error("nothing was left, and it was taken");
    expect(refused).toMatchObject({ why: "rate", remaining: 0 });
    expect(refused.retryAfterMs).toBeGreaterThanOrEqual(1);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(100);
    expect(refused.resetMs).toBeGreaterThan(9000);
    expect(refused.resetMs).toBeLessThanOrEqual(10_000);
    await wait(refused.retryAfterMs + 5);
    expect((await limits.take(key, limit)).kind).toBe("taken");
  });

  test("another burst can be asked for", async () => {
    const limits = await open();
    const key = newKey();
    const limit = { perMinute: 30, burst: 30, concurrent: "unlimited" } as const;
    const takes = await Promise.all(Array.from({ length: 31 }, () => limits.take(key, limit)));
    expect(takes[29]).toMatchObject({ kind: "taken", remaining: 0 });
    expect(takes[30]).toMatchObject({ kind: "refused", why: "rate", remaining: 0 });
  });

  test("in the long run no more pass than the rate allows, and no fewer", async () => {
    const limits = await open();
    const key = newKey();
    const limit = { perMinute: 6000, concurrent: "unlimited" } as const;
    while ((await limits.take(key, limit)).kind === "taken");
    const startedAt = performance.now();
    let passed = 0;
    while (performance.now() - startedAt < 1000) {
      if ((await limits.take(key, limit)).kind === "taken") passed += 1;
      else await wait(2);
    }
    const allowed = (performance.now() - startedAt) / 10;
    expect(passed).toBeLessThanOrEqual(allowed + 1);
    expect(passed).toBeGreaterThan(allowed * 0.8);
  });

  test("says how many are left, and when all are back", async () => {
    const limits = await open();
    const key = newKey();
    const limit = { perMinute: 60, concurrent: 5 };
    const [first, second] = [taken(await limits.take(key, limit)), taken(await limits.take(key, limit))];
    expect([first.remaining, second.remaining]).toEqual([9, 8]);
    expect(first.resetMs).toBeGreaterThan(900);
    expect(first.resetMs).toBeLessThanOrEqual(1000);
    expect(second.resetMs).toBeGreaterThan(1800);
    expect(second.resetMs).toBeLessThanOrEqual(2000);
  });

  test("so many at once and no more, whoever asks at the same time; one released makes room for one", async () => {
    const limits = await open();
    const key = newKey();
    const limit = { perMinute: 60_000, concurrent: 3 };
    const takes = await Promise.all(Array.from({ length: 20 }, () => limits.take(key, limit)));
    expect(kinds(takes).toSorted().join(" ")).toBe(
      [...Array(17).fill("concurrency"), ...Array(3).fill("taken")].join(" "),
    );
    const refused = takes.find(({ kind }) => kind === "refused");
    expect(refused).toMatchObject({ retryAfterMs: 250 });
    const [one] = takes.filter(({ kind }) => kind === "taken") as Taken[];
    one?.release();
    one?.release();
    await wait(30);
    expect(kinds([await limits.take(key, limit), await limits.take(key, limit)])).toEqual(["taken", "concurrency"]);
  });

  test("keys don't know of each other", async () => {
    const limits = await open();
    const [one, other] = [newKey(), newKey()];
    const limit = { perMinute: 1, concurrent: 1 };
    expect(kinds([await limits.take(one, limit), await limits.take(one, limit)])).toEqual(["taken", "rate"]);
    expect((await limits.take(other, limit)).kind).toBe("taken");
  });

  test("one that is never released is given back when its lease ends", async () => {
    const limits = await open();
    const key = newKey();
    const limit = { perMinute: 6000, concurrent: 1 };
    await limits.take(key, limit);
    expect(kinds([await limits.take(key, limit)])).toEqual(["concurrency"]);
    await wait(leaseMs + 50);
    expect(kinds([await limits.take(key, limit)])).toEqual(["taken"]);
  });

  test("one that is forgiven is neither under way nor on the rate, and is forgiven once", async () => {
    const limits = await open();
    const key = newKey();
    const limit = { perMinute: 2, concurrent: 2 };
    const first = taken(await limits.take(key, limit));
    taken(await limits.take(key, limit)).release();
    first.forgive();
    first.forgive();
    await wait(30);
    expect(kinds([await limits.take(key, limit), await limits.take(key, limit)])).toEqual(["taken", "rate"]);
  });

  test("a limit that is raised or lowered holds from the next on", async () => {
    const limits = await open();
    const key = newKey();
    const low = { perMinute: 1, concurrent: 1 };
    const high = { perMinute: 60_000, concurrent: 3 };
    expect(kinds([await limits.take(key, low), await limits.take(key, low)])).toEqual(["taken", "rate"]);
    // What one a minute left of the burst is nothing, and one of 60,000 comes back in a millisecond.
    await limits.take(key, high);
    await wait(20);
    const raised = [await limits.take(key, high), await limits.take(key, high), await limits.take(key, high)];
    expect(kinds(raised)).toEqual(["taken", "taken", "concurrency"]);
    expect(kinds([await limits.take(key, { ...high, concurrent: 2 })])).toEqual(["concurrency"]);
  });

  test.each([
    { perMinute: 0, concurrent: 1 },
    { perMinute: 1.5, concurrent: 1 },
    { perMinute: Number.NaN, concurrent: 1 },
    { perMinute: 1, concurrent: 0 },
    { perMinute: 1, concurrent: -1 },
    { perMinute: 1, burst: 0, concurrent: 1 },
  ])("refuses the limit %j", async (limit) => {
    const limits = await open();
    await expect(limits.take(newKey(), limit)).rejects.toThrow(RangeError);
  });

  test("any order of takes and releases keeps to both limits", async () => {
    const limits = await open();
    const step = fc.oneof(fc.constant("take" as const), fc.constant("release" as const));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 6 }),
        async (steps, perMinute, concurrent) => {
          const key = newKey();
          const underWay: Taken[] = [];
          let passed = 0;
          for (const what of steps) {
            if (what === "release") {
              underWay.shift()?.release();
              continue;
            }
            const take = await limits.take(key, { perMinute, concurrent });
            // At this pace no rate gives one back: 30 a minute is one in two seconds.
            const expected =
              passed >= burstOf(perMinute) ? "rate" : underWay.length >= concurrent ? "concurrency" : "taken";
            expect(kinds([take])).toEqual([expected]);
            if (take.kind !== "taken") continue;
            passed += 1;
            expect(take.remaining).toBe(burstOf(perMinute) - passed);
            underWay.push(take);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
}
