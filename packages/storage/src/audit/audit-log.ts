import { newId } from "@mosaicstack/foundation";
import { federationAuditLog } from "../schema/index.ts";
import type { Database } from "../store.ts";

/** One thing that happened between gateways. Never a token, a key or a query. */
export interface AuditEntry {
  readonly side: "serving" | "querying";
  /** E.g. `request`, `enrollment`, `renewal`, `grant.revoked`. */
  readonly event: string;
  /** `ok`, or the code of the refusal. */
  readonly outcome: string;
  readonly reason?: string;
  readonly grantId?: string;
  readonly peerId?: string;
  readonly subjectUserId?: string;
  /** Who did it. Absent: the gateway itself, or somebody unknown. */
  readonly actorUserId?: string;
  readonly serial?: string;
  /** Both sides' entries of one request have the same. */
  readonly requestId?: string;
  /** Of a request: what was asked, of what, and the question's keyed hash (see `AuditChain.queryHash`). */
  readonly verb?: string;
  readonly resource?: string;
  readonly queryHash?: string;
  /** Of a request: how many rows and bytes its answer had, and how long it took, in milliseconds. */
  readonly rows?: number;
  readonly bytes?: number;
  readonly tookMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An entry as the database has it. */
export type AuditRow = typeof federationAuditLog.$inferSelect;

/**
 * Writes it down for good, in the transaction of what it records where there is one. It gets its place in the chain within about
 * a second, by whichever gateway's queue looks next.
 */
export async function appendAudit(db: Database, at: Date, entry: AuditEntry): Promise<void> {
  await db.insert(federationAuditLog).values({ ...entry, id: newId(at), at });
}
