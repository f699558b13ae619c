import type { Clock } from "@mosaicstack/foundation";

export type Attempt =
  | {
      readonly kind: "allowed";
      /** Takes it off the count: it turned out not to be one of those that are limited. */
      forgive(): void;
    }
  | { readonly kind: "refused"; readonly retryAfterSeconds: number };

/** Counts attempts in fixed windows. */
export interface AttemptLimit {
  /** Counts one. Check and count are one step, so that of many at once no more pass than may. */
  attempt(key: string): Attempt;
}

/**
 * In this process alone: of several replicas each counts for itself, so together they allow as many times more. Enough for
 * what it is for, which is to bound the work and records that renewals cause.
 *
 * @param options.max attempts in one window
 * @param options.maxKeys how many keys are kept; beyond, the one whose window began first is forgotten. Default 10,000
 */
export function createAttemptLimit(options: {
  readonly clock: Clock;
  readonly max: number;
  readonly windowMs: number;
  readonly maxKeys?: number;
}): AttemptLimit {
  const { clock, max, windowMs, maxKeys = 10_000 } = options;
  const windows = new Map<string, { readonly beganAt: number; count: number }>();

  function windowOf(key: string, now: number) {
    const known = windows.get(key);
    // Before it began: the clock was set back, and nobody is to wait until it has caught up.
    if (known !== undefined && now >= known.beganAt && now < known.beganAt + windowMs) return known;
    windows.delete(key);
    const [oldest] = windows.keys();
    if (windows.size >= maxKeys && oldest !== undefined) windows.delete(oldest);
    const window = { beganAt: now, count: 0 };
    windows.set(key, window);
    return window;
  }

  return {
    attempt(key) {
      const now = clock.now().getTime();
      const window = windowOf(key, now);
      if (window.count >= max) {
        return { kind: "refused", retryAfterSeconds: Math.ceil((window.beganAt + windowMs - now) / 1000) };
      }
      window.count += 1;
      let forgiven = false;
      return {
        kind: "allowed",
        forgive() {
          if (!forgiven) window.count -= 1;
          forgiven = true;
        },
      };
    },
  };
}
