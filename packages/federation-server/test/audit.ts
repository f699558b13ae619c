import { schema, type Store } from "@mosaicstack/storage";
import { and, asc, eq } from "drizzle-orm";

const { federationAuditLog } = schema;

export type AuditRow = typeof federationAuditLog.$inferSelect;

/** What the audit has of a grant, oldest first. */
export async function auditOf(store: Store, grantId: string, event?: string): Promise<AuditRow[]> {
  const { grantId: grant, event: name, id } = federationAuditLog;
  return await store.db
    .select()
    .from(federationAuditLog)
    .where(and(eq(grant, grantId), event === undefined ? undefined : eq(name, event)))
    .orderBy(asc(id));
}
