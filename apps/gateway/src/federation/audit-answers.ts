import type { AuditFinding, AuditHead, AuditVerification, NamedAuditRow } from "@mosaicstack/storage";
import { z } from "zod";

const nullable = { text: z.string().nullable(), id: z.uuid().nullable(), count: z.int().nullable() };

/** One entry of the audit. */
export const auditEntryAnswer = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  side: z.enum(["serving", "querying"]),
  event: z.string().describe("`request`, or what happened to a grant or peer"),
  outcome: z.string().describe("`ok`, or the code of the refusal"),
  reason: nullable.text,
  grant_id: nullable.id,
  grant_name: nullable.text,
  peer_id: nullable.id,
  peer_name: nullable.text,
  subject_user_id: nullable.id.describe("Whose data; on the querying side, whose peer"),
  subject_name: nullable.text,
  actor_user_id: nullable.id,
  serial: nullable.text,
  request_id: nullable.text.describe("Both gateways' entries of one request have the same"),
  verb: nullable.text,
  resource: nullable.text,
  query_hash: nullable.text.describe("The question, hashed with this gateway's key: equal questions have equal hashes"),
  rows: nullable.count,
  bytes: nullable.count,
  took_ms: z.number().nullable(),
  details: z.record(z.string(), z.unknown()),
  position: nullable.count.describe("Its place in the chain; null for about a second"),
  hash: nullable.text,
});

/** Where the chain ends. */
export const auditHeadAnswer = z
  .object({ position: z.int(), hash: z.string() })
  .nullable()
  .describe("Where the chain ends, for admins: noted elsewhere, it is what `verify?expect=` takes");

export const auditVerificationAnswer = z.object({
  intact: z.boolean(),
  entries: z.int().describe("How many were looked at"),
  head: auditHeadAnswer,
  findings: z
    .array(
      z.object({
        kind: z.enum([
          "changed",
          "missing",
          "twice",
          "before_first",
          "beyond_head",
          "head_missing",
          "head_changed",
          "head_mended",
          "not_as_expected",
        ]),
        position: z.int(),
        until: z.int().optional().describe("The last position of several"),
        id: z.uuid().optional().describe("The entry found there"),
      }),
    )
    .describe("By position, at most 100"),
  finding_count: z.int(),
  unchained: z.int().describe("Entries of the last second, which have no place yet"),
  dropped: z.int().describe("Requests the audit itself says it has no entry of"),
});

export function auditEntryJson({
  entry,
  grantName,
  peerName,
  subjectName,
}: NamedAuditRow): z.output<typeof auditEntryAnswer> {
  return {
    id: entry.id,
    at: entry.at.toISOString(),
    side: entry.side,
    event: entry.event,
    outcome: entry.outcome,
    reason: entry.reason,
    grant_id: entry.grantId,
    grant_name: grantName,
    peer_id: entry.peerId,
    peer_name: peerName,
    subject_user_id: entry.subjectUserId,
    subject_name: subjectName,
    actor_user_id: entry.actorUserId,
    serial: entry.serial,
    request_id: entry.requestId,
    verb: entry.verb,
    resource: entry.resource,
    query_hash: entry.queryHash,
    rows: entry.rows,
    bytes: entry.bytes,
    took_ms: entry.tookMs,
    details: entry.details,
    position: entry.position,
    hash: entry.hash,
  };
}

export function auditVerificationJson(found: AuditVerification): z.output<typeof auditVerificationAnswer> {
  const { intact, entries, head, findings, findingCount, unchained, dropped } = found;
  return {
    intact,
    entries,
    head: headJson(head),
    findings: findings.map((finding: AuditFinding) => ({ ...finding })),
    finding_count: findingCount,
    unchained,
    dropped,
  };
}

export function headJson(head: AuditHead | null): z.output<typeof auditHeadAnswer> {
  return head === null ? null : { position: head.position, hash: head.hash };
}

/** One entry a line. */
export function auditJsonLines(rows: readonly NamedAuditRow[]): string {
  return rows.map((row) => `${JSON.stringify(auditEntryJson(row))}\n`).join("");
}

const CSV_COLUMNS = Object.keys(auditEntryAnswer.shape) as readonly (keyof typeof auditEntryAnswer.shape)[];

/** RFC 4180: names first, CRLF after every record. */
export const AUDIT_CSV_HEADING = `${CSV_COLUMNS.join(",")}\r\n`;

export function auditCsv(rows: readonly NamedAuditRow[]): string {
  return rows
    .map((row) => {
      const json = auditEntryJson(row);
      return `${CSV_COLUMNS.map((column) => csvCell(json[column])).join(",")}\r\n`;
    })
    .join("");
}

/** What a spreadsheet would take for a formula, also behind white space, and with the wide forms of the signs. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u;

/** A cell begins with an apostrophe where a spreadsheet would calculate it otherwise. */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
