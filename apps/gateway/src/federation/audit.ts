import type { Clock } from "@mosaicstack/foundation";
import {
  type AuditChain,
  type AuditHead,
  type AuditQueue,
  type AuditQueueEvent,
  createAuditQueue,
  openAuditChain,
  readAuditHead,
  type Sealer,
  type Store,
} from "@mosaicstack/storage";
import type { FastifyBaseLogger } from "fastify";

/** What both sides of federation record requests in. Whoever opens it closes it. */
export interface Audit {
  readonly queue: AuditQueue;
  readonly chain: AuditChain;
  /** Where the chain ends now; null: somebody removed it. */
  head(): Promise<AuditHead | null>;
  /** Writes what waits, while there is a database still. */
  close(): Promise<void>;
}

/** How often the chain's head goes to the log: kept elsewhere, it is what shows that an older state was put back. */
const HEAD_LOG_MS = 3_600_000;

export async function openAudit(dependencies: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}): Promise<Audit> {
  const { store, sealer, clock, log } = dependencies;
  const chain = await openAuditChain({ store, sealer, clock });
  const queue = createAuditQueue({ store, clock, chain, onEvent: (event) => tell(log, event) });
  const head = () => readAuditHead(store);

  function logHead(): void {
    head().then(
      (found) => {
        if (found !== null) log.info({ audit_head: `${found.position}:${found.hash}` }, "where the audit log ends");
      },
      () => undefined,
    );
  }
  logHead();
  const hourly = setInterval(logHead, HEAD_LOG_MS);
  hourly.unref();

  return {
    queue,
    chain,
    head,
    async close() {
      clearInterval(hourly);
      await queue.close();
    },
  };
}

function tell(log: FastifyBaseLogger, event: AuditQueueEvent): void {
  switch (event.kind) {
    case "gap_began":
      return log.error("the audit log takes no more entries: peers are not served until it does");
    case "gap_ended":
      return log.warn({ audit: event }, "the audit log takes entries again; how many are missing is written in it");
    case "write_failing":
      return log.error({ err: event.error }, "the audit log cannot be written; what is to be written waits");
    case "write_works_again":
      return log.info("the audit log is written again");
    case "entry_refused":
      return log.error({ err: event.error }, "the database does not take an entry of the audit log; it is left out");
    case "tampered":
      return log.error(
        { audit: event },
        "somebody has changed the audit log's end; mosaic federation audit verify says more",
      );
    case "lost":
      return log.error({ audit: event }, "entries of the audit log were lost: the database was away at the end");
  }
}
