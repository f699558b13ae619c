import { certificateOf, serialOf } from "@mosaicstack/federation-protocol";
import type { Clock } from "@mosaicstack/foundation";
import { appendAudit, type Database, schema, type Store } from "@mosaicstack/storage";
import { and, asc, eq, isNotNull, isNull, ne } from "drizzle-orm";
import type { VerifiedEnrollment } from "./verify-enrollment.ts";

const { federationPeers: table } = schema;

/** A peer as it is stored, its key sealed. */
export type PeerRow = typeof table.$inferSelect;

export type NewPeerRow = Pick<
  PeerRow,
  "id" | "userId" | "name" | "enrollUrl" | "tokenHash" | "caFingerprint" | "sealedKey"
>;

/** How many peers somebody has to look at. */
export interface TroubledPeers {
  readonly degraded: number;
  readonly expired: number;
}

/**
 * The rows of `federation_peers`, each reached only through its user. Every change of state is one statement that holds
 * only where the state before is the one expected; what it returns says whether it did.
 */
export interface PeerStore {
  listOf(userId: string): Promise<PeerRow[]>;
  findByName(userId: string, name: string): Promise<PeerRow | undefined>;
  findByToken(userId: string, tokenHash: string): Promise<PeerRow | undefined>;
  /** Of everybody but the user: a number a state, and nothing of any of them. */
  countTroubledOfOthers(userId: string): Promise<TroubledPeers>;
  /** Undefined: the user has a peer of this name, or of this token. */
  insertPending(row: NewPeerRow): Promise<PeerRow | undefined>;
  /** A pending peer without a certificate takes its address and pin from the invite as it was given last. */
  retarget(row: PeerRow, invite: Pick<PeerRow, "enrollUrl" | "caFingerprint">): Promise<PeerRow | undefined>;
  /** A pending peer without a certificate gets it; it stays pending until its first use. */
  recordEnrollment(row: PeerRow, enrollment: VerifiedEnrollment, renewAt: Date): Promise<PeerRow | undefined>;
  /** The user's other peer that reads by this grant of the same CA. */
  findSibling(row: PeerRow, remoteGrantId: string): Promise<PeerRow | undefined>;
  /**
   * A peer that was invited anew takes over what the pending one got, which then is no more: one row, its name and age kept. It
   * reads on where it did; where it no longer did, it is pending until its first use.
   * @param pair the keys, sealed to the sibling's row; `sealedPreviousKey` null: the old pair is of no use any more
   */
  replacePair(
    sibling: PeerRow,
    row: PeerRow,
    enrollment: VerifiedEnrollment,
    pair: Pick<PeerRow, "sealedKey" | "sealedPreviousKey"> & { readonly renewAt: Date },
  ): Promise<PeerRow | undefined>;
  /** `pending` to `active`. */
  activate(row: PeerRow): Promise<PeerRow | undefined>;
  /** Writes down that an invite was refused, for whatever reason. */
  recordRefusal(row: PeerRow, code: string): Promise<void>;
  /** Whatever its state; undefined: there is none. */
  removeByName(userId: string, name: string): Promise<PeerRow | undefined>;
  /** A pending peer without a certificate. */
  removeUnfinished(row: PeerRow): Promise<void>;
}

export function createPeerStore(store: Pick<Store, "db" | "transaction">, clock: Clock): PeerStore {
  const { db } = store;
  const ofUser = (userId: string, name: string) => and(eq(table.userId, userId), eq(table.name, name));
  const same = ({ id, userId }: PeerRow) => and(eq(table.id, id), eq(table.userId, userId));
  const pending = (row: PeerRow) => and(same(row), eq(table.state, "pending"));
  const unfinished = (row: PeerRow) => and(pending(row), isNull(table.certificatePem));
  const first = async (rows: Promise<PeerRow[]>) => (await rows)[0];

  return {
    listOf: async (userId) => db.select().from(table).where(eq(table.userId, userId)).orderBy(asc(table.name)),
    findByName: (userId, name) => first(db.select().from(table).where(ofUser(userId, name)).execute()),
    findByToken: (userId, tokenHash) =>
      first(
        db
          .select()
          .from(table)
          .where(and(eq(table.userId, userId), eq(table.tokenHash, tokenHash)))
          .execute(),
      ),
    async countTroubledOfOthers(userId) {
      const count = (state: keyof TroubledPeers) =>
        db.$count(table, and(ne(table.userId, userId), eq(table.state, state)));
      const [degraded, expired] = await Promise.all([count("degraded"), count("expired")]);
      return { degraded, expired };
    },
    insertPending(row) {
      const now = clock.now();
      const values = { ...row, state: "pending" as const, createdAt: now, updatedAt: now };
      return first(db.insert(table).values(values).onConflictDoNothing().returning().execute());
    },
    retarget: (row, { enrollUrl, caFingerprint }) =>
      first(
        db
          .update(table)
          .set({ enrollUrl, caFingerprint, updatedAt: clock.now() })
          .where(unfinished(row))
          .returning()
          .execute(),
      ),
    recordEnrollment: (row, enrollment, renewAt) =>
      store.transaction(async (tx) => {
        const change = { ...columnsOf(enrollment), renewAt, updatedAt: clock.now() };
        const [enrolled] = await tx.update(table).set(change).where(unfinished(row)).returning();
        if (enrolled !== undefined) await auditEnrollment(tx, enrolled, enrollment, false);
        return enrolled;
      }),
    findSibling: (row, remoteGrantId) =>
      first(
        db
          .select()
          .from(table)
          .where(
            and(
              eq(table.userId, row.userId),
              ne(table.id, row.id),
              eq(table.remoteGrantId, remoteGrantId),
              eq(table.caFingerprint, row.caFingerprint),
              isNotNull(table.certificatePem),
            ),
          )
          .orderBy(asc(table.id))
          .execute(),
      ),
    replacePair: (sibling, row, enrollment, { sealedKey, sealedPreviousKey, renewAt }) =>
      store
        .transaction(async (tx) => {
          // First the one row, for its token: a user has one row of a token.
          const [taken] = await tx.delete(table).where(unfinished(row)).returning();
          if (taken === undefined) return undefined;
          const isKept = sealedPreviousKey !== null;
          const [replaced] = await tx
            .update(table)
            .set({
              ...columnsOf(enrollment),
              enrollUrl: row.enrollUrl,
              tokenHash: row.tokenHash,
              sealedKey,
              sealedNextKey: null,
              sealedPreviousKey,
              previousCertificatePem: isKept ? sibling.certificatePem : null,
              previousChainPem: isKept ? sibling.chainPem : [],
              previousNotAfter: isKept ? sibling.notAfter : null,
              state: isKept ? sibling.state : "pending",
              degradedAt: isKept ? sibling.degradedAt : null,
              renewAt,
              renewAttempts: 0,
              renewError: null,
              crlNumber: null,
              updatedAt: clock.now(),
            })
            .where(and(same(sibling), eq(table.sealedKey, sibling.sealedKey)))
            .returning();
          // Renewed or removed meanwhile: the pending row stays as it was, and is tried again.
          if (replaced === undefined) throw new SiblingChanged();
          await auditEnrollment(tx, replaced, enrollment, true);
          return replaced;
        })
        .catch((error: unknown) => {
          if (error instanceof SiblingChanged) return undefined;
          throw error;
        }),
    activate: (row) =>
      store.transaction(async (tx) => {
        const change = { state: "active" as const, updatedAt: clock.now() };
        const [activated] = await tx.update(table).set(change).where(pending(row)).returning();
        if (activated !== undefined) {
          const entry = { ...audited(row.userId), ...confirmationOf(activated), peerId: row.id };
          await appendAudit(tx, clock.now(), { ...entry, ...grantOf(activated) });
        }
        return activated;
      }),
    recordRefusal: ({ id: peerId, userId }, code) =>
      appendAudit(db, clock.now(), { ...audited(userId), event: "enrollment", outcome: code, peerId }),
    removeByName: (userId, name) =>
      store.transaction(async (tx) => {
        const [removed] = await tx.delete(table).where(ofUser(userId, name)).returning();
        if (removed !== undefined) {
          const entry = { ...audited(userId), event: "peer.removed", outcome: "ok", peerId: removed.id };
          await appendAudit(tx, clock.now(), { ...entry, ...grantOf(removed) });
        }
        return removed;
      }),
    async removeUnfinished(row) {
      await db.delete(table).where(unfinished(row));
    },
  };

  async function auditEnrollment(
    tx: Database,
    row: PeerRow,
    { remoteGrantId, serial, generation }: VerifiedEnrollment,
    again: boolean,
  ): Promise<void> {
    await appendAudit(tx, clock.now(), {
      ...audited(row.userId),
      event: "enrollment",
      outcome: "ok",
      peerId: row.id,
      grantId: remoteGrantId,
      serial,
      details: { generation, again },
    });
  }
}

/** Ends a transaction whose row was another's meanwhile. */
class SiblingChanged extends Error {}

/** A user's own doing, with a peer of their own. */
function audited(userId: string) {
  return { side: "querying", subjectUserId: userId, actorUserId: userId } as const;
}

function grantOf({ remoteGrantId }: PeerRow): { readonly grantId?: string } {
  return remoteGrantId === null ? {} : { grantId: remoteGrantId };
}

/** How the first use of a pair is written down: from then on the serving side refuses the one before it. */
export function confirmationOf({ certificatePem, generation }: Pick<PeerRow, "certificatePem" | "generation">) {
  const serial = certificatePem === null ? {} : { serial: serialOf(certificateOf(certificatePem)) };
  return { event: "certificate.confirmed", outcome: "ok", ...serial, details: { generation } } as const;
}

function columnsOf(enrollment: VerifiedEnrollment) {
  const { certificatePem, chainPem, notAfter, endpoint, rootPem, remoteGrantId, generation, crlUrl } = enrollment;
  // An invite is made where the peer is now: a former address of it is of no use any more.
  const previousEndpoint = null;
  return { certificatePem, chainPem, notAfter, endpoint, previousEndpoint, rootPem, remoteGrantId, generation, crlUrl };
}
