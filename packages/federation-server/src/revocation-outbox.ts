import type { CertificateAuthority, RevocationReason } from "@mosaicstack/certificate-authority";
import { type Clock, Problem } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { and, asc, count, eq, gt, isNull, lt, lte, or } from "drizzle-orm";

const { federationRevocations } = schema;
type Row = typeof federationRevocations.$inferSelect;

/** How often {@link RevocationOutbox.tellAuthority} is due. */
export const TELL_AUTHORITY_MS = 2_000;

const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 600_000;
const ROWS_A_ROUND = 100;
/** Entries are kept a while after their certificate's end, for those who look up what was told. */
const KEPT_AFTER_END_MS = 86_400_000;
const SWEEP_MS = 3_600_000;

/** What one run did. */
export interface Telling {
  readonly told: number;
  readonly failed: number;
}

/** Carries revocations from the database to the CA, for its CRL. What is refused here never waits for it. */
export interface RevocationOutbox {
  /**
   * Tells the CA all that is due; what it can't be told waits longer each time. Never throws for the CA's faults. May run on several
   * replicas at once: to revoke twice is a success.
   */
  tellAuthority(): Promise<Telling>;
  /** How many revocations the CA has not been told of, of grants and of certificates that are still valid otherwise. */
  countUntold(): Promise<number>;
}

export function createRevocationOutbox(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly authority: Pick<CertificateAuthority, "revoke">;
  /** The CA knows more than its last CRL says. */
  readonly onTold: () => void;
  /** Within [0, 1). Default: `Math.random`. */
  readonly random?: () => number;
}): RevocationOutbox {
  const { store, clock, authority, random = Math.random } = dependencies;
  const { serial, toldAt, notAfter, nextAttemptAt, revokedAt } = federationRevocations;

  async function due(): Promise<Row[]> {
    const now = clock.now();
    // One further off than any wait is of a clock that was ahead.
    const latest = new Date(now.getTime() + LONGEST_WAIT_MS);
    const isDue = or(isNull(nextAttemptAt), lte(nextAttemptAt, now), gt(nextAttemptAt, latest));
    return await store.db
      .select()
      .from(federationRevocations)
      .where(and(isNull(toldAt), gt(notAfter, now), isDue))
      .orderBy(asc(revokedAt))
      .limit(ROWS_A_ROUND);
  }

  async function postpone(row: Row, error: unknown): Promise<void> {
    const attempts = row.attempts + 1;
    await store.db
      .update(federationRevocations)
      .set({
        attempts,
        nextAttemptAt: new Date(clock.now().getTime() + waitMs(attempts, random())),
        lastError: error instanceof Problem ? error.code : "unknown",
      })
      .where(and(eq(serial, row.serial), isNull(toldAt)));
  }

  /** @returns what went wrong */
  async function tell(row: Row): Promise<unknown> {
    try {
      await authority.revoke({ serial: row.serial, reason: row.reason as RevocationReason, at: row.revokedAt });
    } catch (error) {
      return error ?? "rejected with nothing";
    }
    await store.db
      .update(federationRevocations)
      .set({ toldAt: clock.now(), lastError: null })
      .where(eq(serial, row.serial));
    return undefined;
  }

  /** One after another: the CA's list is made anew for each. @returns whether the CA answered */
  async function round(rows: readonly Row[], counts: { told: number; failed: number }): Promise<boolean> {
    for (const [index, row] of rows.entries()) {
      const fault = await tell(row);
      if (fault === undefined) {
        counts.told += 1;
        continue;
      }
      counts.failed += 1;
      if (!(fault instanceof Problem) || fault.code !== "ca_unreachable") {
        await postpone(row, fault);
        continue;
      }
      // The rest would wait for the same CA, each in vain.
      for (const waiting of rows.slice(index)) await postpone(waiting, fault);
      return false;
    }
    return true;
  }

  async function forgetExpired(): Promise<void> {
    const now = clock.now().getTime();
    if (now < sweepAt) return;
    sweepAt = now + SWEEP_MS;
    await store.db.delete(federationRevocations).where(lt(notAfter, new Date(now - KEPT_AFTER_END_MS)));
  }

  async function run(): Promise<Telling> {
    const counts = { told: 0, failed: 0 };
    for (let rows = await due(); rows.length > 0; rows = await due()) {
      if (!(await round(rows, counts))) break;
    }
    if (counts.told > 0) dependencies.onTold();
    await forgetExpired();
    return counts;
  }

  let sweepAt = 0;
  let running: Promise<Telling> | undefined;
  return {
    tellAuthority: () =>
      (running ??= run().finally(() => {
        running = undefined;
      })),
    async countUntold() {
      const isUntold = and(isNull(toldAt), gt(notAfter, clock.now()));
      const [counted] = await store.db.select({ untold: count() }).from(federationRevocations).where(isUntold);
      return counted?.untold ?? 0;
    },
  };
}

/** Full jitter: anything up to twice as long as before, at least a second, at most ten minutes. */
export function waitMs(attempts: number, random: number): number {
  const longest = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** Math.min(attempts, 20));
  return Math.round(SHORTEST_WAIT_MS + random * (longest - SHORTEST_WAIT_MS));
}
