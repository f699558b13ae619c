import type { Verb } from "@mosaicstack/federation-protocol";
import type { AuditEntry } from "@mosaicstack/storage";

/** One request of a peer, or one connection refused: what is known of it, and never the query. */
export interface ServingRecord {
  /** The querying side's own, where it sent one: both sides' records of a request share it. */
  readonly requestId: string;
  /** `unknown`: it asked for no verb there is. `connect`: it was refused before it could ask. */
  readonly verb: Verb | "renew" | "connect" | "unknown";
  /** One that exists, whether or not it is in the scope. */
  readonly resource: string | null;
  readonly serial: string | null;
  readonly grantId: string | null;
  readonly subjectUserId: string | null;
  /** `ok`, or the code of the refusal. */
  readonly outcome: string;
  /** What exactly a certificate was refused for. */
  readonly reason?: string;
  /** Keyed, of the request as its schema read it. */
  readonly queryHash?: string;
  readonly rows: number;
  /** Of the answer's body; 0 where it was refused. */
  readonly bytes: number;
  readonly tookMs: number;
  /** For the log only. */
  readonly cause?: string;
}

/** A record as the audit keeps it: the cause of a fault stays in the log. */
export function auditEntryOf(record: ServingRecord): AuditEntry {
  const { requestId, verb, outcome, reason, queryHash, rows, bytes, tookMs } = record;
  const known = { resource: record.resource, serial: record.serial };
  const ids = { grantId: record.grantId, subjectUserId: record.subjectUserId };
  return {
    side: "serving",
    event: verb === "connect" ? "connection" : "request",
    requestId,
    verb,
    outcome,
    rows,
    bytes,
    tookMs,
    ...(reason === undefined ? {} : { reason }),
    ...(queryHash === undefined ? {} : { queryHash }),
    ...withoutNulls({ ...known, ...ids }),
  };
}

function withoutNulls<Name extends string>(values: Readonly<Record<Name, string | null>>): { [Key in Name]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as { [Key in Name]?: string };
}
