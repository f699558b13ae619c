/** How much one key may take. */
export interface RateLimit {
  /** In the long run, an integer from 1. */
  readonly perMinute: number;
  /** At once after a rest, an integer from 1. Default: {@link burstOf} the rate. */
  readonly burst?: number;
  /** How many may be under way at once, an integer from 1. */
  readonly concurrent: number | "unlimited";
}

/** What came of a take: it counts, or it's refused and counts for nothing. */
export type Take =
  | {
      readonly kind: "taken";
      /** How many more could be taken now. */
      readonly remaining: number;
      /** Until all of the burst can be taken again. */
      readonly resetMs: number;
      /** It's no longer under way. Returns at once, and may be called again. */
      release(): void;
      /** Releases it, and takes it off the rate too: it turned out not to be one of those that are limited. */
      forgive(): void;
    }
  | {
      readonly kind: "refused";
      /** Too many in too short a time, or too many under way. */
      readonly why: "rate" | "concurrency";
      /** When the next can be taken; a guess for `concurrency`. At least 1. */
      readonly retryAfterMs: number;
      readonly remaining: number;
      readonly resetMs: number;
    };

/**
 * Limits that all replicas of the gateway share, while they hear of each other; else each limits for itself at once, and
 * comes back by itself. The generic cell rate algorithm (ITU-T I.371): a key is one instant, and nobody waits for a window
 * to end. What is under way is leased, so that a killed replica's is given back.
 */
export interface RateLimits {
  /**
   * Check and count are one step, so that of many at once no more pass than may. The limit may change from one call to the
   * next, and holds from then on. Never rejects for Valkey's sake, and waits for it 50 ms at most.
   *
   * @throws RangeError for a limit that can't be.
   */
  take(key: string, limit: RateLimit): Promise<Take>;
}

const LEAST_BURST = 10;

/** How many can be taken at once after a rest: what may be taken in ten seconds, at least 10, and never above a minute's. */
export function burstOf(perMinute: number): number {
  return Math.min(perMinute, Math.max(LEAST_BURST, Math.ceil(perMinute / 6)));
}

/** How long what is under way is leased for, where nobody releases it: longer than any request may take. */
export const LEASE_MS = 60_000;

/** When to try again where too many are under way: nobody knows when the first of them ends. */
export const CONCURRENCY_RETRY_MS = 250;

/** @throws RangeError */
export function assertLimit({ perMinute, burst = burstOf(perMinute), concurrent }: RateLimit): void {
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;
  if (!isCount(perMinute)) throw new RangeError(`A limit can't be ${perMinute} a minute.`);
  if (!isCount(burst)) throw new RangeError(`A limit can't be ${burst} after a rest.`);
  if (concurrent !== "unlimited" && !isCount(concurrent))
    throw new RangeError(`A limit can't be ${concurrent} at once.`);
}
