import { federationProblem } from "@mosaicstack/federation-protocol";
import type { Clock } from "@mosaicstack/foundation";

/** From the beginning of one renewal that somebody asks for, and that fails, to the next one of the same peer. */
const LEAST_MS = 10_000;
const MAX_PEERS = 10_000;

/**
 * Holds back those who renew a peer by hand again and again: each time another gateway and its CA are asked, and both sides write it
 * down. One at a time a peer; after a failure not before ten seconds have passed. The serving side sees to those that succeed: a minute
 * apart. In this process alone, of several replicas each counts for itself.
 */
export interface RenewalLimit {
  /** @throws Problem `rate_limited` with `retry-after`, and what the work throws */
  run<Result>(peer: { readonly userId: string; readonly name: string }, work: () => Promise<Result>): Promise<Result>;
}

export function createRenewalLimit({ clock }: { readonly clock: Clock }): RenewalLimit {
  const begun = new Map<string, { readonly at: number; isUnderWay: boolean }>();

  function requireFree(key: string, now: number): void {
    const last = begun.get(key);
    if (last === undefined) return;
    const left = last.at + LEAST_MS - now;
    // More than there is to wait: the clock was set back.
    const isSoon = left > 0 && left <= LEAST_MS;
    if (!last.isUnderWay && !isSoon) return;
    const seconds = isSoon ? Math.ceil(left / 1000) : 1;
    throw federationProblem("rate_limited", { headers: { "retry-after": String(seconds) } });
  }

  return {
    async run({ userId, name }, work) {
      const key = `${userId} ${name}`;
      const at = clock.now().getTime();
      requireFree(key, at);
      begun.delete(key);
      const [oldest] = begun.keys();
      if (begun.size >= MAX_PEERS && oldest !== undefined) begun.delete(oldest);
      const own = { at, isUnderWay: true };
      begun.set(key, own);
      try {
        const result = await work();
        if (begun.get(key) === own) begun.delete(key);
        return result;
      } finally {
        own.isUnderWay = false;
      }
    },
  };
}
