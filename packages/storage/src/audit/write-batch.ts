import type { Clock } from "@mosaicstack/foundation";
import { and, asc, desc, eq, gt, inArray, isNull, sql } from "drizzle-orm";
import { federationAuditChain, federationAuditLog } from "../schema/index.ts";
import type { Database, Store } from "../store.ts";
import { AUDIT_CHAIN_ID, type AuditChain, type AuditHead, NO_HASH } from "./audit-chain.ts";
import { auditContent, auditText } from "./audit-text.ts";

/** An entry on its way to the database. */
export interface WaitingEntry {
  readonly id: string;
  /** As `auditText` has it. */
  readonly text: string;
}

/** What a batch came to. */
export interface BatchWritten {
  readonly head: AuditHead;
  /** Entries of `appendAudit` that are still without their place. */
  readonly more: boolean;
  /** The head was not what the chain had made it: somebody else has written to the database. */
  readonly tampered: boolean;
}

/** As many entries of `appendAudit` get their place at once. */
const LOOSE_ROWS = 1_000;

/**
 * Puts entries at the chain's end, and with them those `appendAudit` wrote, in one transaction. The head's row is locked first: of
 * several replicas one writes, the others wait. Nothing else ever locks it, so nothing can wait for it in a circle.
 *
 * @param isAgain some of these entries may be there already: whether an earlier attempt held could not be heard
 * @param known the head as this process last wrote it: the chain never ends before it again
 */
export async function writeBatch(
  {
    store,
    chain,
    clock,
  }: { readonly store: Pick<Store, "transaction">; readonly chain: AuditChain; readonly clock: Clock },
  entries: readonly WaitingEntry[],
  isAgain: boolean,
  known: AuditHead | null,
): Promise<BatchWritten> {
  return await store.transaction(async (db) => {
    const start = await lockHead(db, chain, clock, known);
    const loose = await db
      .select()
      .from(federationAuditLog)
      .where(isNull(federationAuditLog.position))
      .orderBy(asc(federationAuditLog.id))
      .limit(LOOSE_ROWS);
    const missing = isAgain ? await withoutWritten(db, entries) : entries;
    let { position, hash } = start.head;
    const link = (text: string): string => (hash = chain.link((position += 1), hash, text));
    const found = start.finding === undefined ? [] : [start.finding];
    const looseHashes = loose.map((row) => link(auditText(row)));
    const first = position + 1;
    const added = [...found, ...missing];
    const hashes = added.map(({ text }) => link(text));
    if (loose.length > 0) await place(db, start.head.position, loose, looseHashes);
    if (added.length > 0) await insert(db, first, added, hashes);
    const head = { position, hash };
    if (loose.length > 0 || added.length > 0) {
      await db
        .update(federationAuditChain)
        .set({ ...head, mac: chain.mac(head), at: clock.now() })
        .where(eq(federationAuditChain.id, AUDIT_CHAIN_ID));
    }
    return { head, more: loose.length === LOOSE_ROWS, tampered: start.finding !== undefined };
  });
}

interface LockedHead {
  readonly head: AuditHead;
  /** To be written into the chain, so that going on from here does not cover what was done. */
  readonly finding?: WaitingEntry;
}

/** Whatever was done to the head or the last entries: the chain goes on behind the last entry there is, and says so. */
async function lockHead(db: Database, chain: AuditChain, clock: Clock, known: AuditHead | null): Promise<LockedHead> {
  const { position, hash } = federationAuditLog;
  const [stored] = await db
    .select()
    .from(federationAuditChain)
    .where(eq(federationAuditChain.id, AUDIT_CHAIN_ID))
    .for("update");
  const [newest] = await db
    .select({ position, hash })
    .from(federationAuditLog)
    .where(gt(position, 0))
    .orderBy(desc(position))
    .limit(1);
  const last = { position: newest?.position ?? 0, hash: newest?.hash ?? NO_HASH };
  if (stored !== undefined) {
    const isOwn = chain.isHead(stored, stored.mac) && !isBefore(stored, known);
    if (isOwn && stored.position === last.position && stored.hash === last.hash) return { head: last };
    return {
      head: last,
      finding: findingOf(clock, "audit.head_changed", { head: stored.position, last: last.position }),
    };
  }
  const made = { id: AUDIT_CHAIN_ID, ...last, mac: chain.mac(last), sealedKey: chain.sealedKey, at: clock.now() };
  // Where another replica has been quicker, its row is waited for here, and locked.
  await db
    .insert(federationAuditChain)
    .values(made)
    .onConflictDoUpdate({ target: federationAuditChain.id, set: { id: AUDIT_CHAIN_ID } });
  return { head: last, finding: findingOf(clock, "audit.head_missing", { last: last.position }) };
}

/** Whether the head is an older one, or of another past: a state that was put back whole, code and all. */
function isBefore(stored: AuditHead, known: AuditHead | null): boolean {
  if (known === null) return false;
  return stored.position < known.position || (stored.position === known.position && stored.hash !== known.hash);
}

function findingOf(clock: Clock, event: string, details: Record<string, number>): WaitingEntry {
  const content = auditContent(clock.now(), { side: "serving", event, outcome: "audit_broken", details });
  return { id: content.id, text: auditText(content) };
}

async function withoutWritten(db: Database, entries: readonly WaitingEntry[]): Promise<readonly WaitingEntry[]> {
  if (entries.length === 0) return entries;
  const ids = entries.map(({ id }) => id);
  const written = await db
    .select({ id: federationAuditLog.id })
    .from(federationAuditLog)
    .where(and(inArray(federationAuditLog.id, ids)));
  const known = new Set(written.map(({ id }) => id));
  return entries.filter(({ id }) => !known.has(id));
}

/** One statement a batch. The texts are the entries' own, and are not written out again; hashes are base64url, without commas. */
async function insert(
  db: Database,
  first: number,
  entries: readonly WaitingEntry[],
  hashes: readonly string[],
): Promise<void> {
  const json = `[${entries.map(({ text }) => text).join(",")}]`;
  await db.execute(sql`
    insert into federation_audit_log
      (id, at, side, event, outcome, reason, grant_id, peer_id, subject_user_id, actor_user_id, serial, request_id,
       verb, resource, query_hash, rows, bytes, took_ms, details, position, hash)
    select e.id, e.at, e.side, e.event, e.outcome, e.reason, e.grant_id, e.peer_id, e.subject_user_id, e.actor_user_id, e.serial,
           e.request_id, e.verb, e.resource, e.query_hash, e.rows, e.bytes, e.took_ms, coalesce(e.details, '{}'),
           e.place + ${first - 1}::bigint, e.hash
    from rows from (
      json_to_recordset(${json}::json) as (
        id uuid, at timestamptz, side audit_side, event text, outcome text, reason text, grant_id uuid, peer_id uuid,
        subject_user_id uuid, actor_user_id uuid, serial text, request_id text, verb text, resource text, query_hash text,
        rows integer, bytes integer, took_ms real, details jsonb),
      string_to_table(${hashes.join(",")}, ',')
    ) with ordinality as e (
      id, at, side, event, outcome, reason, grant_id, peer_id, subject_user_id, actor_user_id, serial, request_id,
      verb, resource, query_hash, rows, bytes, took_ms, details, hash, place)`);
}

async function place(
  db: Database,
  before: number,
  rows: readonly { readonly id: string }[],
  hashes: readonly string[],
): Promise<void> {
  const placed = rows.map(({ id }, index) => ({ id, position: before + index + 1, hash: hashes[index] }));
  await db.execute(sql`
    update federation_audit_log as entry set position = given.position, hash = given.hash
    from json_to_recordset(${JSON.stringify(placed)}::json) as given(id uuid, position bigint, hash text)
    where entry.id = given.id`);
}
