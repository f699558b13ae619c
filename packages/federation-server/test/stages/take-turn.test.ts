import { Problem } from "@mosaicstack/foundation";
import type { RateLimits } from "@mosaicstack/coordination";
import { expect, test } from "vitest";
import { requireTurn, takeTurn } from "../../src/stages/take-turn.ts";

const grant = { id: "g", requestsPerMinute: 60, concurrentRequests: 4 };

function refusal(take: Parameters<typeof requireTurn>[0]): Problem {
  try {
    requireTurn(take, grant);
  } catch (error) {
    if (error instanceof Problem) return error;
  }
  throw new Error("it was let through");
}

test("each grant is counted by itself, by what its row says", async () => {
  const asked: unknown[] = [];
  const taken = {
    kind: "taken",
    remaining: 1,
    resetMs: 1,
    release: () => undefined,
    forgive: () => undefined,
  } as const;
  const limits: RateLimits = {
    take: (key, limit) => {
      asked.push([key, limit]);
      return Promise.resolve(taken);
    },
  };
  expect(await takeTurn(limits, grant)).toBe(taken);
  expect(asked).toEqual([["grant:g", { perMinute: 60, concurrent: 4 }]]);
});

test("rate_limited says when to try again, in whole seconds and never sooner, and what is left", () => {
  const problem = refusal({ kind: "refused", why: "rate", retryAfterMs: 1001, remaining: 0, resetMs: 9001 });
  expect([problem.code, problem.status]).toEqual(["rate_limited", 429]);
  expect(problem.headers).toEqual({
    "retry-after": "2",
    "ratelimit-limit": "60",
    "ratelimit-remaining": "0",
    "ratelimit-reset": "10",
  });
  expect(problem.details).toMatchObject({ retry_after: 2, requests_per_minute: 60, concurrent_requests: 4 });
});

test("concurrency_limited never says to try again at once", () => {
  const problem = refusal({ kind: "refused", why: "concurrency", retryAfterMs: 1, remaining: 7, resetMs: 0 });
  expect([problem.code, problem.headers["retry-after"]]).toEqual(["concurrency_limited", "1"]);
});
