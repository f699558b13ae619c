import type { Clock } from "@mosaicstack/foundation";
import { appendAudit, schema, type Store } from "@mosaicstack/storage";
import { and, eq, inArray, lte } from "drizzle-orm";
import { type GrantAnnouncer, voidTokens } from "./revocation.ts";

const { federationGrants } = schema;

/** How often {@link GrantExpiry.expireGrants} is due: it only writes down what holds already. */
export const EXPIRE_GRANTS_MS = 60_000;

export interface GrantExpiry {
  /**
   * Writes down which grants have passed their end, withdraws their invites and cuts their sockets. Revokes nothing: who reads the
   * list learns of a decision, and an end that was agreed on is none. @returns the ids
   */
  expireGrants(): Promise<string[]>;
}

/** Requests of a grant past its end are refused from that moment on; this is for the rows, the sockets and the audit. */
export function createGrantExpiry(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly announcer: GrantAnnouncer;
}): GrantExpiry {
  const { store, clock, announcer } = dependencies;
  const { id, status, expiresAt } = federationGrants;

  async function expire(grantId: string, now: Date): Promise<boolean> {
    return await store.transaction(async (db) => {
      // Asked again where it is written: it may have been extended or revoked meanwhile.
      const isPastItsEnd = and(lte(expiresAt, now), inArray(status, ["pending", "active", "suspended"]));
      const [expired] = await db
        .update(federationGrants)
        .set({ status: "expired" })
        .where(and(eq(id, grantId), isPastItsEnd))
        .returning();
      if (expired === undefined) return false;
      await voidTokens(db, grantId);
      const { subjectUserId } = expired;
      const what = { event: "grant.expired", outcome: "ok", grantId, subjectUserId } as const;
      await appendAudit(db, now, { side: "serving", ...what });
      return true;
    });
  }

  return {
    async expireGrants() {
      const now = clock.now();
      const rows = await store.db
        .select({ id })
        .from(federationGrants)
        .where(and(lte(expiresAt, now), inArray(status, ["pending", "active", "suspended"])));
      const ended: string[] = [];
      for (const row of rows) {
        if (!(await expire(row.id, now))) continue;
        await announcer.announce(row.id);
        ended.push(row.id);
      }
      return ended;
    },
  };
}
