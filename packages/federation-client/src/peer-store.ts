import type { Clock } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { and, asc, eq, isNull } from "drizzle-orm";
import type { VerifiedEnrollment } from "./verify-enrollment.ts";

const { federationPeers: table } = schema;

/** A peer as it is stored, its key sealed. */
export type PeerRow = typeof table.$inferSelect;

export type NewPeerRow = Pick<
  PeerRow,
  "id" | "userId" | "name" | "enrollUrl" | "tokenHash" | "caFingerprint" | "sealedKey"
>;

/**
 * The rows of `federation_peers`, each reached only through its user. Every change of state is one statement that holds
 * only where the state before is the one expected; what it returns says whether it did.
 */
export interface PeerStore {
  listOf(userId: string): Promise<PeerRow[]>;
  findByName(userId: string, name: string): Promise<PeerRow | undefined>;
  findByToken(userId: string, tokenHash: string): Promise<PeerRow | undefined>;
  /** Undefined: the user has a peer of this name, or of this token. */
  insertPending(row: NewPeerRow): Promise<PeerRow | undefined>;
  /** A pending peer without a certificate takes its address and pin from the invite as it was given last. */
  retarget(row: PeerRow, invite: Pick<PeerRow, "enrollUrl" | "caFingerprint">): Promise<PeerRow | undefined>;
  /** A pending peer without a certificate gets it; it stays pending until its first use. */
  recordEnrollment(row: PeerRow, enrollment: VerifiedEnrollment): Promise<PeerRow | undefined>;
  /** `pending` to `active`. */
  activate(row: PeerRow): Promise<PeerRow | undefined>;
  /** Whatever its state; undefined: there is none. */
  removeByName(userId: string, name: string): Promise<PeerRow | undefined>;
  /** A pending peer without a certificate. */
  removeUnfinished(row: PeerRow): Promise<void>;
}

export function createPeerStore({ db }: Pick<Store, "db">, clock: Clock): PeerStore {
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
    recordEnrollment: (row, enrollment) =>
      first(
        db
          .update(table)
          .set({ ...enrollment, updatedAt: clock.now() })
          .where(unfinished(row))
          .returning()
          .execute(),
      ),
    activate: (row) =>
      first(
        db.update(table).set({ state: "active", updatedAt: clock.now() }).where(pending(row)).returning().execute(),
      ),
    removeByName: (userId, name) => first(db.delete(table).where(ofUser(userId, name)).returning().execute()),
    async removeUnfinished(row) {
      await db.delete(table).where(unfinished(row));
    },
  };
}
