import type { RateLimits, Take } from "@mosaicstack/coordination";
import { federationProblem } from "@mosaicstack/federation-protocol";
import { clientNetworks } from "./client-networks.ts";

/** How many refused attempts a network may cause: a minute's at once, so that many may enroll through one address together. */
const PER_NETWORK = 100;
/**
 * From all of them: what refusing costs a quarter of a processor. Far above what a network may, and each is counted there first, so
 * that nobody shuts others out by themselves.
 */
const IN_TOTAL = 12_000;

/** Counts the attempts at enrollment that come to nothing. Those that succeed are limited by the invites there are. */
export interface EnrollmentLimits {
  /**
   * Counts one as refused until it turns out otherwise.
   * @param address the client's network address
   * @returns takes it off the counts
   * @throws Problem `rate_limited`
   */
  count(address: string): Promise<() => void>;
}

/** @param limits of all replicas */
export function createEnrollmentLimits(limits: RateLimits): EnrollmentLimits {
  return {
    async count(address) {
      const keys = [
        ...clientNetworks(address).map(({ name, weight }) => [`enroll:${name}`, PER_NETWORK * weight] as const),
        ["enroll:all", IN_TOTAL] as const,
      ];
      const taken: Extract<Take, { kind: "taken" }>[] = [];
      const forgive = (): void => taken.forEach((take) => take.forgive());
      // One by one: who is refused for their own sake takes nothing from the others.
      for (const [key, perMinute] of keys) {
        const take = await limits.take(key, { perMinute, burst: perMinute, concurrent: "unlimited" });
        if (take.kind === "taken") {
          taken.push(take);
          continue;
        }
        forgive();
        const seconds = Math.max(1, Math.ceil(take.retryAfterMs / 1000));
        throw federationProblem("rate_limited", { headers: { "retry-after": String(seconds) } });
      }
      return forgive;
    },
  };
}
