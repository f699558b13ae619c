import { newId } from "@mosaicstack/foundation";
import { federationAuditLog } from "./schema/index.ts";
import type { Database } from "./store.ts";

/** One thing that happened between gateways. Never a token, a key or a query. */
export interface AuditEntry {
  readonly side: "serving" | "querying";
  /** E.g. `enrollment`, `renewal`, `grant.revoked`. */
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
  readonly requestId?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Writes it down for good, in the transaction of what it records where there is one. */
export async function appendAudit(db: Database, at: Date, entry: AuditEntry): Promise<void> {
  await db.insert(federationAuditLog).values({ ...entry, id: newId(at), at });
}
