import type { Clock } from "@mosaicstack/foundation";
import { sqlState } from "../database-faults.ts";
import type { Store } from "../store.ts";
import type { AuditChain, AuditHead } from "./audit-chain.ts";
import type { AuditEntry } from "./audit-log.ts";
import { createAuditGaps } from "./audit-gaps.ts";
import { auditContent, auditText } from "./audit-text.ts";
import { type WaitingEntry, writeBatch } from "./write-batch.ts";

/** Entries of requests on their way to the database. Recording one does no I/O, and never throws. */
export interface AuditQueue {
  /**
   * Takes an entry. `full`: it is not taken and never will be; it is counted, and the gap itself becomes an entry. The serving
   * side then refuses what it was about to answer; the querying side serves its user all the same.
   */
  record(entry: AuditEntry): "queued" | "full";
  /** Whether `record` would take an entry now: to refuse before the work. Promises nothing for later. */
  hasRoom(): boolean;
  /** A request's question, hashed with this gateway's key: what goes into `AuditEntry.queryHash`. */
  queryHash(verb: string, request: unknown): string;
  /** Entries not taken since the process started. */
  dropped(): number;
  status(): AuditQueueStatus;
  /** Writes what was recorded before the call. @throws what the database refused with; the entries stay, and are tried again */
  flush(): Promise<void>;
  /** Writes what it can, within seconds, and stops. What it could not write is lost, and is told to `onEvent`. Idempotent. */
  close(): Promise<void>;
}

/** For `/readyz` and those who look after the gateway. */
export interface AuditQueueStatus {
  readonly queued: number;
  readonly dropped: number;
  /** Whether the last attempt to write failed. */
  readonly failing: boolean;
  /** Whether there is no room for another entry. */
  readonly full: boolean;
  /** The chain's end as this process last wrote it. */
  readonly head: AuditHead | null;
}

/** What whoever looks after the gateway should hear of, each once. */
export type AuditQueueEvent =
  | { readonly kind: "gap_began" }
  /** Written into the chain as `audit.dropped`. */
  | { readonly kind: "gap_ended"; readonly side: AuditEntry["side"]; readonly count: number }
  | { readonly kind: "write_failing"; readonly error: unknown }
  | { readonly kind: "write_works_again" }
  /** The database can't hold this one; those around it are written. */
  | { readonly kind: "entry_refused"; readonly error: unknown }
  /** The head of the chain was not as it had been left: somebody else wrote to the database. */
  | { readonly kind: "tampered"; readonly head: AuditHead }
  /** At the end, with the database away. */
  | { readonly kind: "lost"; readonly count: number };

export interface AuditQueueLimits {
  /** Default 10,000. */
  readonly entries: number;
  /** Of all entries' texts together. Default 16 MiB. */
  readonly bytes: number;
  /** The longest an entry waits while the database answers. Default 250. */
  readonly flushMs: number;
  /** As many are written in one statement; and so many at once are not waited with. Default 500. */
  readonly batch: number;
  /** How often entries of `appendAudit` are looked for. Default 500. */
  readonly pollMs: number;
}

const DEFAULTS: AuditQueueLimits = { entries: 10_000, bytes: 16 * 1024 * 1024, flushMs: 250, batch: 500, pollMs: 500 };
const MAX_RETRY_MS = 5_000;
const CLOSE_MS = 5_000;

/** Class 22: a value that a column can't hold. */
function isUnholdable(error: unknown): boolean {
  return sqlState(error)?.startsWith("22") === true;
}

/**
 * Writes in batches, in the background, until it is closed. While the database is away entries wait and are tried again, up to the
 * limits. What waits when the process is killed is lost: at most `flushMs` worth of requests while the database answers.
 */
export function createAuditQueue(dependencies: {
  readonly store: Pick<Store, "query" | "transaction">;
  readonly clock: Clock;
  readonly chain: AuditChain;
  readonly onEvent?: (event: AuditQueueEvent) => void;
  readonly limits?: Partial<AuditQueueLimits>;
}): AuditQueue {
  const { store, clock, chain, onEvent = () => undefined } = dependencies;
  const limits = { ...DEFAULTS, ...dependencies.limits };
  const gaps = createAuditGaps(clock);
  let waiting: WaitingEntry[] = [];
  let bytes = 0;
  let head: AuditHead | null = null;
  let failures = 0;
  /** Less while an entry is looked for that the database can't hold. */
  let batchSize = limits.batch;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  const hasRoom = (): boolean => waiting.length < limits.entries && bytes < limits.bytes && closing === undefined;

  function enqueue(entry: AuditEntry): void {
    const content = auditContent(clock.now(), entry);
    const text = auditText(content);
    waiting.push({ id: content.id, text });
    bytes += text.length;
  }

  function schedule(afterMs: number): void {
    if (timer !== undefined || closing !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      // It has been told to onEvent, and the next attempt is scheduled.
      drain().catch(() => undefined);
    }, afterMs);
    timer.unref();
  }

  /** One at a time: a second caller gets the one that runs. */
  function drain(): Promise<void> {
    running ??= writeAll().finally(() => {
      running = undefined;
      if (failures > 0) schedule(Math.min(MAX_RETRY_MS, limits.flushMs * 2 ** Math.min(failures, 6)));
      else if (waiting.length > 0) schedule(waiting.length >= limits.batch ? 0 : limits.flushMs);
    });
    return running;
  }

  async function writeAll(): Promise<void> {
    let more = true;
    // Entries that are recorded meanwhile may wait for the next turn, so that this one ends.
    for (let left = waiting.length; more || left > 0;) {
      left += closeGaps();
      const batch = waiting.slice(0, batchSize);
      try {
        const written = await writeBatch({ store, chain, clock }, batch, failures > 0, head);
        ({ head, more } = written);
        if (written.tampered) onEvent({ kind: "tampered", head });
      } catch (error) {
        if (!isUnholdable(error) || batch.length === 0) {
          failures += 1;
          if (failures === 1) onEvent({ kind: "write_failing", error });
          throw error;
        }
        left -= findUnholdable(batch, error);
        continue;
      }
      remove(batch.length);
      left -= batch.length;
      batchSize = Math.min(limits.batch, batchSize * 2);
      if (failures > 0) onEvent({ kind: "write_works_again" });
      failures = 0;
    }
  }

  /** A gap becomes an entry once it is over: when half of the room is free again and the database answers. */
  function closeGaps(): number {
    if (failures > 0 || waiting.length > limits.entries / 2 || bytes > limits.bytes / 2) return 0;
    const closed = gaps.close();
    for (const { side, count, details } of closed) {
      enqueue({ side, event: "audit.dropped", outcome: "audit_backlogged", details: { count, ...details } });
      onEvent({ kind: "gap_ended", side, count });
    }
    return closed.length;
  }

  /**
   * Nothing gets such an entry past `auditContent`; were it so, one would keep all others from being written. The batch is halved
   * until it is alone; how many were given up.
   */
  function findUnholdable(batch: readonly WaitingEntry[], error: unknown): number {
    if (batch.length > 1) {
      batchSize = Math.floor(batch.length / 2);
      return 0;
    }
    remove(1);
    gaps.add("serving");
    onEvent({ kind: "entry_refused", error });
    return 1;
  }

  function remove(count: number): void {
    for (const { text } of waiting.slice(0, count)) bytes -= text.length;
    waiting = waiting.slice(count);
  }

  async function lookForLoose(): Promise<void> {
    if (running !== undefined || failures > 0 || closing !== undefined) return;
    const found = await store.query("select 1 as one from federation_audit_log where position is null limit 1", []);
    if (found.length > 0) await drain();
  }

  const poll = setInterval(() => void lookForLoose().catch(() => undefined), limits.pollMs);
  poll.unref();

  async function flush(): Promise<void> {
    // The one that runs may have begun before the last entries were recorded.
    await running?.catch(() => undefined);
    await drain();
  }

  async function finish(): Promise<void> {
    clearInterval(poll);
    clearTimeout(timer);
    let away: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => (away = setTimeout(resolve, CLOSE_MS)));
    const written = (async () => {
      await running?.catch(() => undefined);
      while (waiting.length > 0 || gaps.any()) await drain();
    })();
    await Promise.race([written.catch(() => undefined), deadline]);
    clearTimeout(away);
    if (waiting.length > 0) onEvent({ kind: "lost", count: waiting.length });
  }

  return {
    record(entry) {
      if (!hasRoom()) {
        if (!gaps.any()) onEvent({ kind: "gap_began" });
        gaps.add(entry.side);
        return "full";
      }
      enqueue(entry);
      // While writing fails, its own next attempt is scheduled already.
      if (waiting.length === limits.batch && failures === 0) {
        clearTimeout(timer);
        timer = undefined;
        schedule(0);
      } else schedule(limits.flushMs);
      return "queued";
    },
    hasRoom,
    queryHash: (verb, request) => chain.queryHash(verb, request),
    dropped: () => gaps.total(),
    status: () => ({ queued: waiting.length, dropped: gaps.total(), failing: failures > 0, full: !hasRoom(), head }),
    flush,
    close: () => (closing ??= finish()),
  };
}
