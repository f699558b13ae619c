import { type Clock, Problem } from "@mosaicstack/foundation";
import { RENEWAL_GRACE_MS } from "@mosaicstack/federation-protocol";
import type { PeerRow } from "./peer-store.ts";
import { ENDED_UNHEARD, type RenewalStore } from "./renewal-store.ts";

/** Renewals at once: after a long outage all peers are due, and their gateways' CAs are to bear it. */
const MAX_PARALLEL = 4;
/** Renewals in one run, which the job makes every minute. */
const MAX_PER_RUN = 120;

/** What one run did. */
export interface RenewalRun {
  readonly renewed: number;
  readonly failed: number;
}

/**
 * One run of the renewal job: the peers that are due, a few at a time. One that fails does not keep the others from it.
 *
 * @param dependencies.renew renews one, or only confirms its last renewal
 * @returns runs; rejects with the first fault that is no Problem, once all are done
 */
export function createRenewalRun(dependencies: {
  readonly rows: RenewalStore;
  readonly clock: Clock;
  readonly renew: (row: PeerRow, isDue: boolean) => Promise<unknown>;
  readonly onChange: (before: PeerRow, after: PeerRow) => void;
}): () => Promise<RenewalRun> {
  const { rows, clock, renew, onChange } = dependencies;

  /** A peer that has stopped asking, and whose certificate is past any renewal. */
  async function end(row: PeerRow): Promise<void> {
    const ended = await rows.end(row, "expired", row.renewError ?? ENDED_UNHEARD);
    if (ended !== undefined) onChange(row, ended);
  }

  return async () => {
    const due = await rows.due(MAX_PER_RUN);
    const faults: unknown[] = [];
    let [renewed, failed] = [0, 0];
    const left = due.values();
    const work = async () => {
      for (const row of left) {
        try {
          if (isOver(row, clock.now())) await end(row);
          else await renew(row, row.state === "expired" || (row.renewAt !== null && isDue(row, clock.now())));
          renewed += 1;
        } catch (error) {
          failed += 1;
          if (!(error instanceof Problem)) faults.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: MAX_PARALLEL }, work));
    if (faults.length > 0) throw faults[0];
    return { renewed, failed };
  };
}

/** Whether it is here to be ended: it asks no more, there is nothing to confirm, and its certificate is past any renewal. */
function isOver({ renewAt, state, previousCertificatePem, notAfter }: PeerRow, now: Date): boolean {
  const isPast = notAfter !== null && notAfter.getTime() + RENEWAL_GRACE_MS <= now.getTime();
  return renewAt === null && state !== "expired" && previousCertificatePem === null && isPast;
}

/** Whether there is more to do than to confirm the last renewal. */
function isDue({ renewAt, renewAttempts }: PeerRow, now: Date): boolean {
  return renewAttempts > 0 || (renewAt !== null && renewAt <= now);
}
