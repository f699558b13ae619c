// What `npm run bench -- audit` compares with: stands in for packages/storage/src/audit/audit-queue.ts in one process of it.
import type { AuditQueue } from "@mosaicstack/storage";

/** Takes every entry and forgets it: no hash of the question, no text of the entry, no chain, no statement. */
export function createAuditQueue(): AuditQueue {
  const status = { queued: 0, dropped: 0, failing: false, full: false, head: null };
  return {
    record: () => "queued",
    hasRoom: () => true,
    queryHash: () => "",
    dropped: () => 0,
    status: () => status,
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
