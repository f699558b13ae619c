import type { Clock } from "@mosaicstack/foundation";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import type { PeerRow } from "./peer-store.ts";
import { MIN_RETRY_MS } from "./renewal-schedule.ts";
import type { RenewalStore } from "./renewal-store.ts";

const MAX_PEERS = 10_000;

/**
 * What a query's `certificate_superseded` leads to: a renewal at once, whatever its window. Somebody has used a later certificate
 * of the grant. Where that was this gateway itself (another replica, or one whose answer was lost), the renewal gives it the
 * newest one; where it was not, asking is what shows the serving side that two hold the key (trust decision 7), and neither
 * gateway has to wait for the window to hear of it.
 *
 * @param dependencies.renew must write down what it rejects with
 * @returns renews, or leaves it: to another replica that already has, to a person where the renewal has stopped, and to the
 * schedule within a minute of the attempt before
 */
export function createSupersededRenewal(dependencies: {
  readonly rows: Pick<RenewalStore, "find">;
  readonly clock: Clock;
  readonly renew: (row: PeerRow, isDue: boolean) => Promise<unknown>;
}): (told: PeerRow) => Promise<void> {
  const { rows, clock, renew } = dependencies;
  const attempts = new LeastRecentlyUsed<number>(MAX_PEERS);

  return async (told) => {
    const now = clock.now().getTime();
    const isRecent = (at: number) => Math.abs(now - at) < MIN_RETRY_MS;
    const last = attempts.get(told.id);
    if (last !== undefined && isRecent(last)) return;
    attempts.set(told.id, now);
    const row = await rows.find(told);
    if (row === undefined || row.certificatePem !== told.certificatePem) return;
    const isLive = row.state === "active" || row.state === "degraded";
    const hasFailedNow = row.renewAttempts > 0 && isRecent(row.updatedAt.getTime());
    if (isLive && row.renewAt !== null && !hasFailedNow) await renew(row, true);
  };
}
