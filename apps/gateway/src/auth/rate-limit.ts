import type { Clock } from "@mosaicstack/foundation";
import { LRUCache } from "lru-cache";

export interface RateRule {
  /** Attempts allowed in one window. */
  readonly max: number;
  readonly windowSeconds: number;
}

export type Attempt = { readonly kind: "allowed" } | { readonly kind: "refused"; readonly retryAfterSeconds: number };

/**
 * Counts attempts in fixed windows, in this process. Bounded: beyond 10,000 keys the least recent are forgotten,
 * which an attacker reaches only with that many addresses.
 */
export class RateLimit {
  readonly #windows = new LRUCache<string, { readonly endsAt: number; count: number }>({ max: 10_000 });
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one attempt. Check and count are one step, so parallel attempts cannot all pass. */
  attempt(key: string, rule: RateRule): Attempt {
    const now = this.#clock.now().getTime();
    const window = this.#windows.get(key);
    if (window === undefined || now >= window.endsAt) {
      this.#windows.set(key, { endsAt: now + rule.windowSeconds * 1000, count: 1 });
      return { kind: "allowed" };
    }
    if (window.count >= rule.max) {
      return { kind: "refused", retryAfterSeconds: Math.ceil((window.endsAt - now) / 1000) };
    }
    window.count += 1;
    return { kind: "allowed" };
  }
}
