import { and, asc, eq, gt, isNull, lte, or, sql } from "drizzle-orm";
import { federationAuditChain, federationAuditLog } from "../schema/index.ts";
import type { Store } from "../store.ts";
import { AUDIT_CHAIN_ID, type AuditChain, type AuditHead, NO_HASH } from "./audit-chain.ts";
import type { AuditRow } from "./audit-log.ts";
import { auditText } from "./audit-text.ts";

/** Something of the audit that is not as it was written, and where. */
export interface AuditFinding {
  readonly kind:
    /** What it says, or what was before it, is different. */
    | "changed"
    /** There is no entry at this position, up to `until`. */
    | "missing"
    /** A position was given twice. */
    | "twice"
    /** Before the first place there is: put there by somebody else. */
    | "before_first"
    /** Behind the end of the chain: put there by somebody else. */
    | "beyond_head"
    /** The row that says where the chain ends is gone, or is not the chain's. */
    | "head_missing"
    | "head_changed"
    /** That the head had been changed or removed was noticed when this entry was written. Entries before it may be missing. */
    | "head_mended"
    /** Not the entry that was noted elsewhere, or none: the end was cut off and an older head put back. */
    | "not_as_expected";
  readonly position: number;
  /** The last position of several. */
  readonly until?: number;
  /** The entry found there. */
  readonly id?: string;
}

/** What became of looking at every entry. */
export interface AuditVerification {
  readonly intact: boolean;
  /** Entries looked at. */
  readonly entries: number;
  readonly head: AuditHead | null;
  /** By position, as many as are told of; `findingCount` counts all. */
  readonly findings: readonly AuditFinding[];
  readonly findingCount: number;
  /** Entries of the last second, which have no place yet. */
  readonly unchained: number;
  /** Requests the audit says it has no entry of. */
  readonly dropped: number;
}

export interface VerifyOptions {
  readonly store: Pick<Store, "db">;
  readonly chain: AuditChain;
  /** A head noted earlier, elsewhere: what was there then must be there still. */
  readonly expect?: AuditHead;
  /** Hears how many entries have been looked at, each batch. */
  readonly onProgress?: (entries: number) => void;
  readonly signal?: AbortSignal;
}

const BATCH = 1_000;
const TOLD = 100;

/**
 * Looks at every entry in order, up to where the chain ended when it began, with the memory of one batch. What is not as written is
 * found and named: an entry changed, removed, moved or put in, the end cut off, the head changed. What it cannot see: that a whole
 * older state was put back, head and all; for that, `expect`.
 */
export async function verifyAudit({
  store,
  chain,
  expect,
  onProgress,
  signal,
}: VerifyOptions): Promise<AuditVerification> {
  const { db } = store;
  const findings: AuditFinding[] = [];
  let findingCount = 0;
  const find = (finding: AuditFinding): void => {
    findingCount += 1;
    if (findings.length < TOLD) findings.push(finding);
  };
  const start = await readChainEnd(store, chain);
  let [entries, dropped] = [0, 0];
  let expected: string | undefined;
  let looked: Place | undefined;
  let previous = { position: 0, hash: NO_HASH };
  for (;;) {
    signal?.throwIfAborted();
    const batch = await nextBatch(db, looked, start.last);
    for (const row of batch) {
      const position = row.position ?? 0;
      const hash = row.hash ?? NO_HASH;
      looked = { position, id: row.id };
      if (position < 1) {
        find({ kind: "before_first", position, id: row.id });
        continue;
      }
      if (position === previous.position) find({ kind: "twice", position, id: row.id });
      else {
        const isNext = position === previous.position + 1;
        if (!isNext) find(missing(previous.position + 1, position - 1));
        // Behind a missing one, what it was linked to is not known any more.
        else if (hash !== chain.link(position, previous.hash, auditText(row)))
          find({ kind: "changed", position, id: row.id });
        if (position === expect?.position) expected = hash;
        if (position > start.end) find({ kind: "beyond_head", position, id: row.id });
      }
      if (row.event === "audit.head_changed" || row.event === "audit.head_missing") {
        find({ kind: "head_mended", position, id: row.id });
      }
      if (row.event === "audit.dropped") dropped += Number(row.details["count"] ?? 0);
      previous = { position, hash };
    }
    entries += batch.length;
    onProgress?.(entries);
    if (batch.length < BATCH) break;
  }
  if (previous.position < start.end) find(missing(previous.position + 1, start.end));
  if (start.finding !== undefined) find({ kind: start.finding, position: start.end });
  else if (previous.position === start.end && start.head?.hash !== previous.hash) {
    find({ kind: "head_changed", position: start.end });
  }
  if (expect !== undefined && !(expect.position === 0 && expect.hash === NO_HASH) && expected !== expect.hash) {
    find({ kind: "not_as_expected", position: expect.position });
  }
  const { head, unchained } = start;
  return { intact: findingCount === 0, entries, head, findings, findingCount, unchained, dropped };
}

/** Where an entry is that was looked at. */
interface Place {
  readonly position: number;
  readonly id: string;
}

function missing(position: number, until: number): AuditFinding {
  return { kind: "missing", position, ...(until > position ? { until } : {}) };
}

/** By position and id: a position that was given twice is read twice. */
async function nextBatch(db: Store["db"], looked: Place | undefined, last: number): Promise<AuditRow[]> {
  const { position, id } = federationAuditLog;
  const after = looked && or(gt(position, looked.position), and(eq(position, looked.position), gt(id, looked.id)));
  return await db
    .select()
    .from(federationAuditLog)
    .where(and(after, lte(position, last)))
    .orderBy(asc(position), asc(id))
    .limit(BATCH);
}

/** The chain's head as the database has it, and the highest position there is: both of one moment. */
async function readChainEnd({ db }: Pick<Store, "db">, chain: AuditChain) {
  const last = sql<string | null>`(select max(position) from federation_audit_log)`;
  const [stored] = await db
    .select({
      position: federationAuditChain.position,
      hash: federationAuditChain.hash,
      mac: federationAuditChain.mac,
      last,
    })
    .from(federationAuditChain)
    .where(eq(federationAuditChain.id, AUDIT_CHAIN_ID));
  const unchained = await db.$count(federationAuditLog, isNull(federationAuditLog.position));
  if (stored === undefined) {
    const [newest] = await db.select({ last: sql<string | null>`max(position)` }).from(federationAuditLog);
    const end = Number(newest?.last ?? 0);
    return { head: null, finding: "head_missing" as const, end, last: end, unchained };
  }
  const head = { position: stored.position, hash: stored.hash };
  const finding = chain.isHead(head, stored.mac) ? undefined : ("head_changed" as const);
  return { head, finding, end: head.position, last: Number(stored.last ?? 0), unchained };
}

/** Where the chain ends, for somebody to note elsewhere; null: the head is gone. Its own truth is `verifyAudit`'s to tell. */
export async function readAuditHead({ db }: Pick<Store, "db">): Promise<AuditHead | null> {
  const { position, hash, id } = federationAuditChain;
  const [head] = await db.select({ position, hash }).from(federationAuditChain).where(eq(id, AUDIT_CHAIN_ID));
  return head ?? null;
}
