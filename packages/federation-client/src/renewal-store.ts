import type { Clock } from "@mosaicstack/foundation";
import { RENEWAL_GRACE_MS } from "@mosaicstack/federation-protocol";
import { appendAudit, type AuditEntry, type Database, schema, type Store } from "@mosaicstack/storage";
import { and, asc, eq, gt, inArray, isNotNull, isNull, lte, ne, or, type SQL } from "drizzle-orm";
import { endpointOf } from "./peer-connections.ts";
import { confirmationOf, type PeerRow } from "./peer-store.ts";
import { MAX_RETRY_MS, MIN_RETRY_MS, MOVE_RETRY_MS } from "./renewal-schedule.ts";
import type { VerifiedRenewal } from "./verify-renewal.ts";

const { federationPeers: table } = schema;

/** What `renew_error` is where a certificate ended by our clock alone, without a word of the peer's. */
export const ENDED_UNHEARD = "peer_expired";

/** What `renew_error` is while a peer is read at its previous address, since it cannot be reached at its new one. */
export const NOT_WHERE_IT_SAYS = "peer_address_unusable";

const nothingBefore = {
  sealedPreviousKey: null,
  previousCertificatePem: null,
  previousChainPem: [],
  previousNotAfter: null,
};

/** A peer's keys, each sealed to its column. */
type SealedKeys = Pick<PeerRow, "sealedKey" | "sealedNextKey" | "sealedPreviousKey">;

/**
 * What renewal does to the rows of `federation_peers` (trust decision 6). Each is one statement, or one with its audit, and
 * holds only where the certificate in use is still the one expected: what it returns says whether it did.
 */
export interface RenewalStore {
  find(row: Pick<PeerRow, "id" | "userId">): Promise<PeerRow | undefined>;
  /**
   * Peers to renew, or whose renewal or new address is to be confirmed, now; the longest due first. Also those whose certificate has ended, and
   * that have stopped renewing: their `renewAt` is null.
   */
  due(limit: number): Promise<PeerRow[]>;
  /** Stores the key that will be asked for, where none is. */
  keepNextKey(row: PeerRow, sealedNextKey: string): Promise<PeerRow | undefined>;
  /** A key the peer will not certify: the next attempt makes another. */
  dropNextKey(row: PeerRow): Promise<void>;
  /** The next pair becomes the one in use, the one in use the previous; the address in use too, where the peer names another. */
  swap(row: PeerRow, renewal: VerifiedRenewal, keys: SealedKeys, renewAt: Date): Promise<PeerRow | undefined>;
  /** The pair in use worked, at the newest address: what was before is forgotten, and nothing is wrong with the peer. */
  confirm(row: PeerRow, renewAt: Date | null): Promise<PeerRow | undefined>;
  /** The pair in use worked, but at the previous address alone, which stays in use; the previous pair is forgotten. */
  confirmAtPrevious(row: PeerRow, renewAt: Date | null): Promise<PeerRow | undefined>;
  /** The pair in use and the previous change places. */
  exchange(
    row: PeerRow,
    keys: SealedKeys,
    next: { readonly generation: number; readonly code: string; readonly renewAt: Date; readonly isDegraded: boolean },
  ): Promise<PeerRow | undefined>;
  /** An attempt failed. `renewAt` null: it is not tried again by itself. */
  fail(
    row: PeerRow,
    failure: { readonly code: string; readonly renewAt: Date | null; readonly isDegraded: boolean },
  ): Promise<PeerRow | undefined>;
  /** It is over: proven revoked, or expired. */
  end(row: PeerRow, state: "revoked" | "expired", reason: string): Promise<PeerRow | undefined>;
  /** A denial that stopped the renewal is over. */
  resume(row: PeerRow): Promise<void>;
  /** Remembers the newest CRL seen. */
  recordListNumber(row: PeerRow, number: bigint): Promise<void>;
}

export function createRenewalStore(store: Pick<Store, "db" | "transaction">, clock: Clock): RenewalStore {
  const { db } = store;
  const same = ({ id, userId }: Pick<PeerRow, "id" | "userId">) => and(eq(table.id, id), eq(table.userId, userId));
  /** The row with the pair it was read with. */
  const unchanged = (row: PeerRow) => {
    const { certificatePem } = row;
    return and(
      same(row),
      certificatePem === null ? isNull(table.certificatePem) : eq(table.certificatePem, certificatePem),
    );
  };
  /** What is new about a pair that worked; nothing where only an address was tried again. */
  const firstUseOf = (row: PeerRow): Entry[] => (row.previousCertificatePem === null ? [] : [confirmationOf(row)]);
  const living = inArray(table.state, ["active", "degraded"]);

  async function change(
    where: SQL | undefined,
    values: Partial<PeerRow>,
    ...audit: readonly Entry[]
  ): Promise<PeerRow | undefined> {
    return await store.transaction(async (tx) => {
      const set = { ...values, updatedAt: clock.now() };
      const [changed] = await tx.update(table).set(set).where(where).returning();
      if (changed !== undefined) for (const entry of audit) await append(tx, changed, entry);
      return changed;
    });
  }

  async function append(tx: Database, { id: peerId, userId, remoteGrantId }: PeerRow, entry: Entry): Promise<void> {
    const of = { side: "querying", peerId, subjectUserId: userId } as const;
    await appendAudit(tx, clock.now(), {
      ...of,
      ...entry,
      ...(remoteGrantId === null ? {} : { grantId: remoteGrantId }),
    });
  }

  // A pending peer is confirmed by its adding alone.
  const healthy = ({ state }: PeerRow) => ({
    state: state === "pending" ? state : ("active" as const),
    degradedAt: null,
    renewAttempts: 0,
    renewError: null,
  });
  const troubled = (row: PeerRow, isDegraded: boolean) =>
    isDegraded && (row.state === "active" || row.state === "degraded")
      ? { state: "degraded" as const, degradedAt: row.degradedAt ?? clock.now() }
      : {};

  return {
    find: async (row) => (await db.select().from(table).where(same(row)))[0],

    async due(limit) {
      const now = clock.now();
      const before = (ms: number) => new Date(now.getTime() - ms);
      // An attempt that a clock once wrong has put off further than any is put off.
      const isPutOff = and(gt(table.renewAttempts, 0), gt(table.renewAt, before(-2 * MAX_RETRY_MS)));
      const isDue = or(lte(table.renewAt, now), isPutOff);
      const isUnconfirmed = and(isNotNull(table.previousCertificatePem), lte(table.updatedAt, before(MIN_RETRY_MS)));
      // It ended by our clock, and by our clock it did not: that clock was wrong.
      const isBack = and(
        eq(table.state, "expired"),
        eq(table.renewError, ENDED_UNHEARD),
        gt(table.notAfter, before(RENEWAL_GRACE_MS)),
        or(isNull(table.renewAt), isDue),
      );
      const isMoving = and(isNotNull(table.previousEndpoint), lte(table.updatedAt, before(MOVE_RETRY_MS)));
      const isOver = and(isNull(table.renewAt), lte(table.notAfter, before(RENEWAL_GRACE_MS)));
      return await db
        .select()
        .from(table)
        .where(or(and(living, or(isDue, isUnconfirmed, isMoving, isOver)), isBack))
        .orderBy(asc(table.renewAt), asc(table.id))
        .limit(limit);
    },

    keepNextKey: (row, sealedNextKey) => change(and(unchanged(row), isNull(table.sealedNextKey)), { sealedNextKey }),

    async dropNextKey(row) {
      if (row.sealedNextKey === null) return;
      await change(and(unchanged(row), eq(table.sealedNextKey, row.sealedNextKey)), { sealedNextKey: null });
    },

    swap(row, renewal, keys, renewAt) {
      const { certificatePem, chainPem, notAfter, generation, endpoint, serial } = renewal;
      const isNewIssuer = chainPem[0] !== row.chainPem[0];
      const inUse = endpointOf(row);
      // Told once that the peer is not there, nobody is told that it is well before it is.
      const isStillMissed =
        row.renewError === NOT_WHERE_IT_SAYS && row.previousEndpoint !== null && endpoint === row.endpoint;
      const values = {
        ...keys,
        certificatePem,
        chainPem,
        notAfter,
        generation,
        endpoint,
        previousEndpoint: endpoint === inUse ? null : inUse,
        previousCertificatePem: row.certificatePem,
        previousChainPem: row.chainPem,
        previousNotAfter: row.notAfter,
        renewAt,
        ...(isStillMissed ? { renewAttempts: 0 } : healthy(row)),
        // Each CA counts its own lists.
        ...(isNewIssuer ? { crlNumber: null } : {}),
      };
      const isSameKey = row.sealedNextKey === null ? undefined : eq(table.sealedNextKey, row.sealedNextKey);
      return change(and(unchanged(row), isSameKey, ne(table.state, "revoked")), values, {
        event: "renewal",
        outcome: "ok",
        serial,
        details: { generation, not_after: notAfter.toISOString() },
      });
    },

    confirm: (row, renewAt) =>
      change(
        and(unchanged(row), ne(table.state, "revoked")),
        { ...healthy(row), renewAt, ...nothingBefore, previousEndpoint: null },
        ...firstUseOf(row),
      ),

    confirmAtPrevious: (row, renewAt) =>
      change(
        and(unchanged(row), isNotNull(table.previousEndpoint), ne(table.state, "revoked")),
        { ...healthy(row), ...troubled(row, true), renewError: NOT_WHERE_IT_SAYS, renewAt, ...nothingBefore },
        ...firstUseOf(row),
        // Once, and not at each try.
        ...(row.renewError === NOT_WHERE_IT_SAYS
          ? []
          : [{ event: "peer.moved", outcome: NOT_WHERE_IT_SAYS, details: { endpoint: row.endpoint } }]),
      ),

    exchange: (row, keys, { generation, code, renewAt, isDegraded }) =>
      change(
        unchanged(row),
        {
          ...keys,
          certificatePem: row.previousCertificatePem,
          chainPem: row.previousChainPem,
          notAfter: row.previousNotAfter,
          previousCertificatePem: row.certificatePem,
          previousChainPem: row.chainPem,
          previousNotAfter: row.notAfter,
          generation,
          renewAt,
          renewAttempts: row.renewAttempts + 1,
          renewError: code,
          ...troubled(row, isDegraded),
        },
        { event: "renewal.exchange", outcome: code, details: { generation } },
      ),

    fail: (row, { code, renewAt, isDegraded }) =>
      change(
        unchanged(row),
        { renewAt, renewAttempts: row.renewAttempts + 1, renewError: code, ...troubled(row, isDegraded) },
        { event: "renewal", outcome: code, details: { attempt: row.renewAttempts + 1 } },
      ),

    end: (row, state, reason) =>
      change(
        and(same(row), ne(table.state, state), ne(table.state, "revoked")),
        { state, renewAt: null, renewError: reason },
        { event: `peer.${state}`, outcome: "ok", reason },
      ),

    async resume(row) {
      await change(and(unchanged(row), living, isNull(table.renewAt)), { renewAt: clock.now() });
    },

    async recordListNumber(row, number) {
      await db.update(table).set({ crlNumber: number.toString() }).where(same(row));
    },
  };
}

type Entry = Pick<AuditEntry, "event" | "outcome" | "reason" | "serial" | "details">;
