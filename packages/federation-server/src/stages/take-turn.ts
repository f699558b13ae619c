import type { RateLimits, Take } from "@mosaicstack/coordination";
import { federationProblem } from "@mosaicstack/federation-protocol";

/** What a grant's column says of how often, and how much at once, its peer may ask. */
export interface GrantLimits {
  readonly id: string;
  readonly requestsPerMinute: number;
  readonly concurrentRequests: number;
}

/** A request that counts; to be released once it has been answered. */
export type Turn = Extract<Take, { readonly kind: "taken" }>;

/** Counts one request of a grant. @throws Problem `rate_limited`, `concurrency_limited` */
export async function takeTurn(limits: RateLimits, grant: GrantLimits): Promise<Turn> {
  const limit = { perMinute: grant.requestsPerMinute, concurrent: grant.concurrentRequests };
  return requireTurn(await limits.take(`grant:${grant.id}`, limit), grant);
}

/**
 * A refused take as what a peer is told: when to try again (RFC 9110 10.2.3), what the limit is, what is left of it, and when all
 * of it can be used again (`ratelimit-*`, in seconds).
 *
 * @throws Problem `rate_limited`, `concurrency_limited`
 */
export function requireTurn(take: Take, grant: GrantLimits): Turn {
  if (take.kind === "taken") return take;
  const retryAfter = Math.max(1, Math.ceil(take.retryAfterMs / 1000));
  const { requestsPerMinute, concurrentRequests } = grant;
  throw federationProblem(take.why === "rate" ? "rate_limited" : "concurrency_limited", {
    headers: {
      "retry-after": String(retryAfter),
      "ratelimit-limit": String(requestsPerMinute),
      "ratelimit-remaining": String(take.remaining),
      "ratelimit-reset": String(Math.ceil(take.resetMs / 1000)),
    },
    extensions: {
      retry_after: retryAfter,
      requests_per_minute: requestsPerMinute,
      concurrent_requests: concurrentRequests,
    },
  });
}
