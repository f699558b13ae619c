import type { RevocationReason } from "@mosaicstack/certificate-authority";
import type { Coordination } from "@mosaicstack/coordination";
import { appendAudit, type Database, schema } from "@mosaicstack/storage";
import { and, desc, eq, inArray, isNull, or } from "drizzle-orm";
import { serialOfGrant } from "./grant-serial.ts";
import type { LiveSockets } from "./live-sockets.ts";

const { federationCertificates, federationEnrollmentTokens, federationGrants, federationRevocations } = schema;

/** The channel on which replicas tell each other that a grant may no longer be what it was. The message is its id. */
export const GRANT_CHANGED = "grant-changed";

/** For as long the CA is told of a revoked grant, should it be away. */
const GRANT_TOLD_MS = 365 * 86_400_000;

/** Who ends or suspends a grant, and why; absent: the gateway itself. */
export interface Decision {
  readonly at: Date;
  readonly actorUserId?: string;
  /** A few words for the audit, e.g. `subject_removed`. */
  readonly cause?: string;
}

/** What a revocation did: nothing where the grant was revoked before. */
export interface RevokedGrant {
  readonly isNew: boolean;
  /** The serials that this revocation took out of use. */
  readonly serials: readonly string[];
}

/**
 * Ends a grant for good, with all its certificates and tokens, within the caller's transaction: the rows, what the CA is to be told,
 * and the audit stand or fall together. Idempotent. An expired grant stays expired, but its certificates are revoked.
 *
 * To be followed, once the transaction is over, by {@link GrantAnnouncer.announce}.
 *
 * @param revocation.reason what the CRL will say (RFC 5280 5.3.1)
 */
export async function revokeGrant(
  db: Database,
  grantId: string,
  revocation: Decision & { readonly reason: RevocationReason },
): Promise<RevokedGrant> {
  const { at, reason } = revocation;
  const [grant] = await db.select().from(federationGrants).where(eq(federationGrants.id, grantId)).for("update");
  if (grant === undefined) return { isNew: false, serials: [] };
  const isNew = grant.status !== "revoked" && grant.status !== "expired";
  if (isNew) {
    await db.update(federationGrants).set({ status: "revoked", revokedAt: at }).where(eq(federationGrants.id, grantId));
  }
  // Of an expired one too: a backup may be from before its end was brought forward.
  const told = { serial: serialOfGrant(grantId), grantId, notAfter: new Date(at.getTime() + GRANT_TOLD_MS) };
  await tellLater(db, [{ ...told, reason, revokedAt: at }]);
  const serials = await revokeCertificates(db, grantId, revocation);
  await voidTokens(db, grantId);
  if (isNew || serials.length > 0) {
    await appendAudit(db, at, {
      ...auditOf(grant, revocation),
      event: "grant.revoked",
      details: { serials, crl_reason: reason, was: grant.status },
    });
  }
  return { isNew, serials };
}

/**
 * Takes all of a grant's certificates out of use and puts those that are still valid in the outbox to the CA. The grant's own state
 * stays: it can be enrolled for anew.
 *
 * @returns the serials that were good until now
 */
export async function revokeCertificates(
  db: Database,
  grantId: string,
  { at, reason }: { readonly at: Date; readonly reason: RevocationReason },
): Promise<string[]> {
  // Newest first, as a certificate's first use locks them: whichever comes second waits, and neither is a deadlock's victim.
  await db
    .select({ serial: federationCertificates.serial })
    .from(federationCertificates)
    .where(eq(federationCertificates.grantId, grantId))
    .orderBy(desc(federationCertificates.generation))
    .for("update");
  const revoked = await db
    .update(federationCertificates)
    .set({ revokedAt: at })
    .where(and(eq(federationCertificates.grantId, grantId), isNull(federationCertificates.revokedAt)))
    .returning({ serial: federationCertificates.serial, notAfter: federationCertificates.notAfter });
  await tellLater(
    db,
    revoked.map((row) => ({ ...row, grantId, reason, revokedAt: at })),
  );
  return revoked.map(({ serial }) => serial);
}

/**
 * Stops an active grant until somebody resumes it, within the caller's transaction. Its certificates stay good for when it is resumed;
 * its open invites do not. To be followed by {@link GrantAnnouncer.announce}.
 *
 * @param suspension.reason why, where it was not a person: `cloned_key`
 * @returns whether it was active, or was suspended without the reason that it has now
 */
export async function suspendGrant(
  db: Database,
  grantId: string,
  suspension: Decision & { readonly reason: string | null },
): Promise<boolean> {
  const { at, reason } = suspension;
  const { id, status, suspendedReason } = federationGrants;
  const isActive = eq(status, "active");
  // Somebody suspended it at the same moment: what the gateway found out decides how it is resumed, so it is not to be lost.
  const isUnexplained = and(eq(status, "suspended"), isNull(suspendedReason));
  const [grant] = await db
    .update(federationGrants)
    .set({ status: "suspended", suspendedAt: at, suspendedReason: reason })
    .where(and(eq(id, grantId), reason === null ? isActive : or(isActive, isUnexplained)))
    .returning();
  if (grant === undefined) return false;
  await voidTokens(db, grantId);
  const audit = auditOf(grant, suspension);
  await appendAudit(db, at, { ...audit, event: "grant.suspended", ...(reason === null ? {} : { reason }) });
  return true;
}

/** A certificate that was signed, but must never be used. */
export type UndeliveredCertificate = Omit<typeof federationCertificates.$inferInsert, "revokedAt"> & {
  readonly revokedAt: Date;
};

/** Records a certificate that was signed while its grant changed, as revoked from the first, and has the CA told. */
export async function recordRevokedCertificate(
  db: Database,
  row: UndeliveredCertificate,
  reason: RevocationReason,
): Promise<void> {
  const { serial, grantId, notAfter, revokedAt } = row;
  await db.insert(federationCertificates).values(row);
  await tellLater(db, [{ serial, grantId, notAfter, reason, revokedAt }]);
  await appendAudit(db, revokedAt, {
    side: "serving",
    event: "certificate.undelivered",
    outcome: "ok",
    reason,
    grantId,
    serial,
  });
}

/** Withdraws a grant's invites that are not used up. */
export async function voidTokens(db: Database, grantId: string): Promise<void> {
  const { grantId: grant, status } = federationEnrollmentTokens;
  const open = and(eq(grant, grantId), inArray(status, ["open", "claimed"]));
  await db.update(federationEnrollmentTokens).set({ status: "void" }).where(open);
}

/** Has what uses a grant look again, on every replica. */
export interface GrantAnnouncer {
  /** Cuts the grant's sockets here at once, and has the other replicas do so. After the commit, never within it. Never throws. */
  announce(grantId: string): Promise<void>;
}

export function createGrantAnnouncer(dependencies: {
  readonly liveSockets: LiveSockets;
  readonly coordination: Pick<Coordination, "publish">;
}): GrantAnnouncer {
  return {
    async announce(grantId) {
      dependencies.liveSockets.cut(grantId);
      await dependencies.coordination.publish(GRANT_CHANGED, grantId);
    },
  };
}

/** What has expired is on no CRL, so nobody is told of it. */
async function tellLater(
  db: Database,
  rows: readonly (typeof federationRevocations.$inferInsert & { reason: RevocationReason })[],
): Promise<void> {
  const valid = rows.filter(({ notAfter, revokedAt }) => notAfter > revokedAt);
  if (valid.length === 0) return;
  await db.insert(federationRevocations).values(valid).onConflictDoNothing();
}

function auditOf(grant: typeof federationGrants.$inferSelect, { actorUserId, cause }: Decision) {
  return {
    side: "serving" as const,
    outcome: "ok",
    grantId: grant.id,
    subjectUserId: grant.subjectUserId,
    ...(actorUserId === undefined ? {} : { actorUserId }),
    ...(cause === undefined ? {} : { reason: cause }),
  };
}
