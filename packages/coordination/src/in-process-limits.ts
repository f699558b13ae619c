import { assertLimit, burstOf, CONCURRENCY_RETRY_MS, LEASE_MS, type RateLimits } from "./rate-limits.ts";

/** How many keys are kept; beyond, the one taken from longest ago is forgotten. */
const MAX_KEYS = 20_000;

/** What adding fractions may lose, in milliseconds and in parts of one. */
const LOST_IN_ADDING = 0.001;

interface Counted {
  /** When the rate is used up to, in milliseconds of `nowMs`: the algorithm's theoretical arrival time. */
  usedUntil: number;
  /** Those under way, by when their lease ends, oldest first. */
  readonly leases: Map<number, number>;
}

/**
 * Limits of this process alone.
 *
 * @param options.nowMs a clock that never goes back. Default: `performance.now`
 * @param options.leaseMs how long what is under way counts, where nobody releases it
 */
export function createInProcessLimits({
  nowMs = () => performance.now(),
  leaseMs = LEASE_MS,
  maxKeys = MAX_KEYS,
}: { readonly nowMs?: () => number; readonly leaseMs?: number; readonly maxKeys?: number } = {}): RateLimits {
  const keys = new Map<string, Counted>();
  let leases = 0;

  /** Puts it last, so that the first is the one taken from longest ago. */
  function countedOf(key: string): Counted {
    const counted = keys.get(key) ?? { usedUntil: 0, leases: new Map<number, number>() };
    keys.delete(key);
    const [oldest] = keys.keys();
    if (keys.size >= maxKeys && oldest !== undefined) keys.delete(oldest);
    keys.set(key, counted);
    return counted;
  }

  return {
    async take(key, limit) {
      assertLimit(limit);
      const now = nowMs();
      const intervalMs = 60_000 / limit.perMinute;
      const burstMs = (limit.burst ?? burstOf(limit.perMinute)) * intervalMs;
      const counted = countedOf(key);
      for (const [lease, endsAt] of counted.leases) {
        if (endsAt > now) break;
        counted.leases.delete(lease);
      }
      // Never beyond the burst: a limit that was raised holds at once.
      const usedMs = Math.min(Math.max(counted.usedUntil - now, 0), burstMs);
      counted.usedUntil = now + usedMs;
      const standing = (used: number) => ({
        remaining: Math.max(0, Math.floor((burstMs - used) / intervalMs + LOST_IN_ADDING)),
        resetMs: Math.ceil(used),
      });
      const overMs = usedMs + intervalMs - burstMs;
      if (overMs > LOST_IN_ADDING) {
        return { kind: "refused", why: "rate", retryAfterMs: Math.ceil(overMs), ...standing(usedMs) };
      }
      const isLeased = limit.concurrent !== "unlimited";
      if (isLeased && counted.leases.size >= limit.concurrent) {
        return { kind: "refused", why: "concurrency", retryAfterMs: CONCURRENCY_RETRY_MS, ...standing(usedMs) };
      }
      counted.usedUntil = now + usedMs + intervalMs;
      const lease = (leases += 1);
      if (isLeased) counted.leases.set(lease, now + leaseMs);
      let forgiven = false;
      return {
        kind: "taken",
        ...standing(usedMs + intervalMs),
        release: () => void counted.leases.delete(lease),
        forgive() {
          counted.leases.delete(lease);
          if (!forgiven) counted.usedUntil -= intervalMs;
          forgiven = true;
        },
      };
    },
  };
}
