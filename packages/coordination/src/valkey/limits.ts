import { newId } from "@mosaicstack/foundation";
import type { Redis } from "ioredis";
import type { CoordinationState } from "../coordination.ts";
import { createInProcessLimits } from "../in-process-limits.ts";
import {
  assertLimit,
  burstOf,
  CONCURRENCY_RETRY_MS,
  type RateLimit,
  type RateLimits,
  type Take,
} from "../rate-limits.ts";

/** How long a take waits for Valkey before this process limits for itself. */
const ANSWER_MS = 50;
/** How long Valkey isn't asked after it did not answer in time: the pulse, which says so, takes about as long. */
const REST_MS = 1000;
/** A fault of Valkey that isn't its being away is reported once in this time. */
const SAME_FAULT_MS = 60_000;

/**
 * The generic cell rate algorithm and the leases, in microseconds of the server's clock, so that no replica's clock matters.
 * `KEYS`: until when the rate is used, and those under way by when their lease ends. `ARGV`: the microseconds one takes of the
 * rate, those of the burst, how many at once (0: no matter), the lease's name and its microseconds. Answers 0 taken, 1 over
 * the rate, 2 too many under way, and how much of the rate is used, as text: a number would lose its fraction. What is used
 * beyond the burst is cut off, so that a limit that was raised holds at once.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, concurrent = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) - now, 0)
if used > burst then
  used = burst
  redis.call('SET', KEYS[1], string.format('%.3f', now + used), 'PX', math.ceil(used / 1000))
end
if used + interval - burst > 1 then return {1, string.format('%.3f', used)} end
if concurrent > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
  if redis.call('ZCARD', KEYS[2]) >= concurrent then return {2, string.format('%.3f', used)} end
  redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[5]), ARGV[4])
  redis.call('PEXPIRE', KEYS[2], math.ceil(ARGV[5] / 1000))
end
used = used + interval
redis.call('SET', KEYS[1], string.format('%.3f', now + used), 'PX', math.ceil(used / 1000))
return {0, string.format('%.3f', used)}
`;

/** Takes one off the rate again, and ends its lease. `ARGV`: its microseconds of the rate, and the lease's name. */
const FORGIVE = `
redis.call('ZREM', KEYS[2], ARGV[2])
local used = tonumber(redis.call('GET', KEYS[1]))
if used then redis.call('SET', KEYS[1], string.format('%.3f', used - ARGV[1]), 'KEEPTTL') end
return 0
`;

/** What `defineCommand` makes of a script: EVALSHA, and EVAL where the server doesn't know it. */
interface Scripts {
  mosaicTake(used: string, leases: string, ...words: (string | number)[]): Promise<readonly [number, string]>;
  mosaicForgive(used: string, leases: string, ...words: (string | number)[]): Promise<unknown>;
}

export interface ValkeyLimitsOptions {
  /** Fails at once where Valkey is away. */
  readonly connection: Redis;
  /** Stands before every key; in braces, so that a cluster keeps a limit's two keys on one node. */
  readonly prefix: string;
  readonly leaseMs: number;
  readonly state: () => CoordinationState;
  /** Hears what Valkey says against a script, as ioredis throws it: not fit for a log. */
  readonly onFault: (error: unknown) => void;
}

/** Limits that the replicas share through Valkey. While it's away, those of this process, at once. */
export function createValkeyLimits(options: ValkeyLimitsOptions): RateLimits {
  const { connection, prefix, leaseMs, state, onFault } = options;
  const alone = createInProcessLimits({ leaseMs });
  connection.defineCommand("mosaicTake", { numberOfKeys: 2, lua: TAKE });
  connection.defineCommand("mosaicForgive", { numberOfKeys: 2, lua: FORGIVE });
  const scripts = connection as unknown as Scripts;
  let askAgainAt = 0;
  let reportAgainAt = 0;

  async function shared(key: string, limit: RateLimit): Promise<Take> {
    const { perMinute, burst = burstOf(perMinute), concurrent } = limit;
    const [rateKey, leaseKey] = [`${prefix}:used:${key}`, `${prefix}:leases:${key}`];
    const lease = newId();
    const intervalUs = 60_000_000 / perMinute;
    const burstUs = burst * intervalUs;
    const atOnce = concurrent === "unlimited" ? 0 : concurrent;
    const words = [intervalUs, burstUs, atOnce, lease, leaseMs * 1000];
    const [answer, used] = await scripts.mosaicTake(rateKey, leaseKey, ...words);
    const usedUs = Number(used);
    const standing = {
      remaining: Math.max(0, Math.floor((burstUs - usedUs) / intervalUs + 0.001)),
      resetMs: Math.ceil(usedUs / 1000),
    };
    if (answer === 1) {
      const retryAfterMs = Math.max(1, Math.ceil((usedUs + intervalUs - burstUs) / 1000));
      return { kind: "refused", why: "rate", retryAfterMs, ...standing };
    }
    if (answer === 2) return { kind: "refused", why: "concurrency", retryAfterMs: CONCURRENCY_RETRY_MS, ...standing };
    let isUnderWay = atOnce > 0;
    let isForgiven = false;
    return {
      kind: "taken",
      ...standing,
      release() {
        if (!isUnderWay) return;
        isUnderWay = false;
        // One that fails ends by itself.
        connection.zrem(leaseKey, lease).catch(() => undefined);
      },
      forgive() {
        if (isForgiven) return;
        isForgiven = true;
        isUnderWay = false;
        scripts.mosaicForgive(rateKey, leaseKey, intervalUs, lease).catch(() => undefined);
      },
    };
  }

  /** @returns undefined where Valkey did not answer in time; should it have taken one after all, that is forgiven. */
  function inTime(taking: Promise<Take>): Promise<Take | undefined> {
    return new Promise((resolve, reject) => {
      let isLate = false;
      let isAnswered = false;
      const giveUp = (): void => {
        if (isAnswered) return;
        isLate = true;
        askAgainAt = performance.now() + REST_MS;
        resolve(undefined);
      };
      // Where this process was what stood still, the answer is at hand and only waits to be read.
      const timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), ANSWER_MS);
      taking.then(
        (take) => {
          clearTimeout(timer);
          isAnswered = true;
          if (isLate && take.kind === "taken") take.forgive();
          resolve(take);
        },
        (error: unknown) => {
          clearTimeout(timer);
          isAnswered = true;
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }

  const report = (error: unknown): void => {
    // Its being away is said by the pulse.
    if (connection.status !== "ready" || state().status === "degraded" || performance.now() < reportAgainAt) return;
    reportAgainAt = performance.now() + SAME_FAULT_MS;
    onFault(error);
  };

  return {
    async take(key, limit) {
      assertLimit(limit);
      const isAway = connection.status !== "ready" || state().status === "degraded" || performance.now() < askAgainAt;
      if (isAway) return await alone.take(key, limit);
      try {
        return (await inTime(shared(key, limit))) ?? (await alone.take(key, limit));
      } catch (error) {
        report(error);
        return await alone.take(key, limit);
      }
    },
  };
}
