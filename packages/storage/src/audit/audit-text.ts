import { isId, newId } from "@mosaicstack/foundation";
import type { AuditEntry, AuditRow } from "./audit-log.ts";

/** What of an entry the chain covers: all but the place itself. */
export type AuditContent = Omit<AuditRow, "position" | "hash">;

/**
 * An entry as one text, the same for the entry that is written and the row that is read: JSON with the columns' names, in this
 * order, what is null left out. It is what the chain hashes, and what the database is handed.
 */
export function auditText(row: AuditContent): string {
  return JSON.stringify({
    id: row.id,
    at: row.at.toISOString(),
    side: row.side,
    event: row.event,
    outcome: row.outcome,
    reason: row.reason ?? undefined,
    grant_id: row.grantId ?? undefined,
    peer_id: row.peerId ?? undefined,
    subject_user_id: row.subjectUserId ?? undefined,
    actor_user_id: row.actorUserId ?? undefined,
    serial: row.serial ?? undefined,
    request_id: row.requestId ?? undefined,
    verb: row.verb ?? undefined,
    resource: row.resource ?? undefined,
    query_hash: row.queryHash ?? undefined,
    rows: row.rows ?? undefined,
    bytes: row.bytes ?? undefined,
    // The column has four bytes: what it gives back is the nearest it can hold.
    took_ms: row.tookMs === null ? undefined : Math.fround(row.tookMs),
    details: Object.keys(row.details).length === 0 ? undefined : inOrder(row.details),
  });
}

const MAX_TEXT = 200;
const MAX_REASON = 500;
const MAX_DETAILS = 4_000;
const MAX_INTEGER = 2_147_483_647;

/**
 * The row of an entry. Nothing in it can make the database refuse it, since others are written in the same statement: too long
 * texts are cut, characters and numbers that a column can't hold are replaced, and an id that is none (an untrusted certificate
 * may claim anything) goes to `details.claimed`.
 */
export function auditContent(at: Date, entry: AuditEntry): AuditContent {
  const claimed: Record<string, string> = {};
  const id = (name: string, value: string | undefined): string | null => {
    if (value === undefined || isId(value)) return value ?? null;
    claimed[name] = clean(value, MAX_TEXT);
    return null;
  };
  const text = (value: string | undefined): string | null => (value === undefined ? null : clean(value, MAX_TEXT));
  const ids = {
    grantId: id("grant_id", entry.grantId),
    peerId: id("peer_id", entry.peerId),
    subjectUserId: id("subject_user_id", entry.subjectUserId),
    actorUserId: id("actor_user_id", entry.actorUserId),
  };
  const details = entry.details === undefined ? {} : cleanDetails(entry.details);
  return {
    id: newId(at),
    at,
    side: entry.side,
    event: clean(entry.event, MAX_TEXT),
    outcome: clean(entry.outcome, MAX_TEXT),
    reason: entry.reason === undefined ? null : clean(entry.reason, MAX_REASON),
    ...ids,
    serial: text(entry.serial),
    requestId: text(entry.requestId),
    verb: text(entry.verb),
    resource: text(entry.resource),
    queryHash: text(entry.queryHash),
    rows: whole(entry.rows),
    bytes: whole(entry.bytes),
    tookMs: entry.tookMs === undefined || !Number.isFinite(entry.tookMs) ? null : Math.max(0, entry.tookMs),
    details: Object.keys(claimed).length === 0 ? details : { ...details, claimed },
  };
}

/** PostgreSQL has no NUL in a text, and no half of a surrogate pair. */
function clean(text: string, most: number): string {
  if (text.length <= most && text.isWellFormed() && !text.includes("\0")) return text;
  return text.slice(0, most).toWellFormed().replaceAll("\0", "\u{fffd}");
}

function cleanDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const text = JSON.stringify(details, (_name, value: unknown) =>
    typeof value === "string" ? clean(value, MAX_REASON) : value,
  );
  return text.length > MAX_DETAILS ? { truncated: true } : (JSON.parse(text) as Record<string, unknown>);
}

function whole(value: number | undefined): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  return Math.min(MAX_INTEGER, Math.max(0, Math.round(value)));
}

/** The same value with its names sorted, at every depth: `jsonb` keeps no order, and equal questions come in any. */
export function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, inOrder(inner)]));
}
