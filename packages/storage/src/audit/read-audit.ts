import { and, asc, desc, eq, gt, gte, inArray, like, lt, lte, or, sql, type SQL } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import { federationAuditLog, federationGrants, federationPeers, users } from "../schema/index.ts";
import type { Store } from "../store.ts";
import type { AuditEntry, AuditRow } from "./audit-log.ts";

/** Which entries are wanted; all that are named hold together. */
export interface AuditFilter {
  readonly side?: AuditEntry["side"];
  readonly event?: string;
  readonly grantId?: string;
  readonly peerId?: string;
  /** Whose data, or who did it. */
  readonly userId?: string;
  /** `refused`: any but `ok`. */
  readonly outcome?: string;
  /** From then on. */
  readonly since?: Date;
  /** Before then. */
  readonly until?: Date;
  readonly requestId?: string;
}

/** Who reads. */
export interface AuditReader {
  readonly userId: string;
  readonly isAdmin: boolean;
}

/** An entry, and what its ids are called now; null: nothing of that id is here, or any more. */
export interface NamedAuditRow {
  readonly entry: AuditRow;
  readonly grantName: string | null;
  readonly peerName: string | null;
  readonly subjectName: string | null;
}

type ReadingStore = Pick<Store, "db">;

/**
 * Names are looked up for the rows of the page alone: joined, the planner may read and sort the whole log for it. And only where the
 * id is one that the reader may have the name of: a grant asked of a peer is the peer's, whatever it chose to call it, and an
 * untrusted certificate may claim anybody as its subject.
 */
function select(db: ReadingStore["db"], { userId, isAdmin }: AuditReader) {
  const { side, grantId, peerId, subjectUserId } = federationAuditLog;
  const nameOf = (table: PgTable, id: PgColumn, when: SQL | undefined) =>
    sql<string | null>`(select named.name from ${table} as named where named.id = ${id} and ${when ?? sql`true`})`;
  return db
    .select({
      entry: federationAuditLog,
      grantName: nameOf(federationGrants, grantId, eq(side, "serving")),
      peerName: nameOf(federationPeers, peerId, eq(side, "querying")),
      subjectName: nameOf(users, subjectUserId, isAdmin ? undefined : eq(subjectUserId, userId)),
    })
    .from(federationAuditLog);
}

/**
 * A page of the entries somebody may see, newest first. An admin sees every one of the serving side; anybody the ones of grants over
 * their own data, by the grant as the database has it and not by what a certificate claimed; and of the querying side everybody, an
 * admin too, the ones of their own peers alone.
 *
 * @param page.before the id of the last entry of the page before
 */
export async function listAudit(
  store: ReadingStore,
  reader: AuditReader,
  filter: AuditFilter,
  page: { readonly limit: number; readonly before?: string },
): Promise<{ readonly entries: readonly NamedAuditRow[]; readonly more: boolean }> {
  const { id } = federationAuditLog;
  const visible = await visibleTo(store, reader);
  const found = await select(store.db, reader)
    .where(and(visible, ...conditions(filter), page.before === undefined ? undefined : lt(id, page.before)))
    .orderBy(desc(id))
    .limit(page.limit + 1);
  return { entries: found.slice(0, page.limit), more: found.length > page.limit };
}

const EXPORT_BATCH = 1_000;

/**
 * The same entries, oldest first, in batches: as many as there are, with the memory of one batch. Entries that are made meanwhile
 * are not waited for.
 */
export async function* exportAudit(
  store: ReadingStore,
  reader: AuditReader,
  filter: AuditFilter,
): AsyncGenerator<readonly NamedAuditRow[], void, undefined> {
  const { id } = federationAuditLog;
  const visible = await visibleTo(store, reader);
  const [newest] = await store.db.select({ id }).from(federationAuditLog).orderBy(desc(id)).limit(1);
  if (newest === undefined) return;
  for (let after: string | undefined; ;) {
    const batch = await select(store.db, reader)
      .where(and(visible, ...conditions(filter), lte(id, newest.id), after === undefined ? undefined : gt(id, after)))
      .orderBy(asc(id))
      .limit(EXPORT_BATCH);
    if (batch.length > 0) yield batch;
    after = batch.at(-1)?.entry.id;
    if (batch.length < EXPORT_BATCH) return;
  }
}

/** The grants are looked up first: by their ids an index serves also whoever has none, and sees nothing of millions. */
async function visibleTo({ db }: ReadingStore, { userId, isAdmin }: AuditReader): Promise<SQL | undefined> {
  const { side, subjectUserId, grantId, event } = federationAuditLog;
  const own = and(eq(side, "querying"), eq(subjectUserId, userId));
  // Gaps and findings of the audit itself are of nobody's data.
  if (isAdmin) return or(eq(side, "serving"), own, like(event, "audit.%"));
  const grants = await db
    .select({ id: federationGrants.id })
    .from(federationGrants)
    .where(eq(federationGrants.subjectUserId, userId));
  if (grants.length === 0) return own;
  const ids = grants.map(({ id }) => id);
  return or(and(eq(side, "serving"), inArray(grantId, ids)), own);
}

function conditions(filter: AuditFilter): (SQL | undefined)[] {
  const { id, at, side, event, grantId, peerId, subjectUserId, actorUserId, outcome, requestId } = federationAuditLog;
  const { userId, since, until } = filter;
  return [
    filter.side && eq(side, filter.side),
    filter.event === undefined ? undefined : eq(event, filter.event),
    filter.grantId === undefined ? undefined : eq(grantId, filter.grantId),
    filter.peerId === undefined ? undefined : eq(peerId, filter.peerId),
    userId === undefined ? undefined : or(eq(subjectUserId, userId), eq(actorUserId, userId)),
    filter.outcome === undefined
      ? undefined
      : filter.outcome === "refused"
        ? or(lt(outcome, "ok"), gt(outcome, "ok"))
        : eq(outcome, filter.outcome),
    filter.requestId === undefined ? undefined : eq(requestId, filter.requestId),
    // Ids are made of the time: theirs is the index that a list runs along.
    since && and(gte(at, since), gte(id, firstIdOf(since))),
    until && and(lt(at, until), lte(id, firstIdOf(until))),
  ];
}

/** Not above any UUIDv7 (RFC 9562 5.7) of that millisecond or a later one. */
function firstIdOf(at: Date): string {
  const milliseconds = Math.max(0, at.getTime()).toString(16).padStart(12, "0");
  return `${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-0000-0000-000000000000`;
}
