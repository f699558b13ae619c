import type { Clock } from "@mosaicstack/foundation";
import type { AuditEntry, AuditQueue } from "@mosaicstack/storage";
import { auditEntryOf, type ServingRecord } from "./serving-record.ts";

/** What the serving side writes of peers. Each answer has an entry of its own, and each refusal up to `MOST_REFUSALS`. */
export interface ServingAudit {
  /** Whether an answer could be recorded now. */
  hasRoom(): boolean;
  queryHash(verb: string, request: unknown): string;
  /** `full`: it is not recorded, so nothing may be answered but that. */
  record(record: ServingRecord): "queued" | "full";
  /** Writes the counts that are still open. */
  close(): void;
}

/** Refusals of one kind and one grant (or stranger) that are recorded one by one within `WINDOW_MS`; the rest as a number. */
export const MOST_REFUSALS = 60;
export const WINDOW_MS = 60_000;
const MOST_KINDS = 10_000;
/** Nobody vouches for what such a certificate claims: it can be another grant each time, and is not told apart by it. */
const CLAIMS_ANYTHING = new Set(["certificate_untrusted", "certificate_not_checked"]);

interface Repeated {
  readonly beganAt: number;
  count: number;
  last: AuditEntry;
}

/**
 * Refusals cost a peer, or a stranger without any certificate, nothing: recorded one by one without end they would fill the disk,
 * and the queue, which would keep the other peers from being served. So what repeats is counted, and the count is an entry too:
 * like the last of them, with `details.repeated`.
 */
export function createServingAudit({
  queue,
  clock,
}: {
  readonly queue: Pick<AuditQueue, "hasRoom" | "queryHash" | "record">;
  readonly clock: Clock;
}): ServingAudit {
  const windows = new Map<string, Repeated>();

  function close(key: string, { count, last }: Repeated): void {
    windows.delete(key);
    if (count > MOST_REFUSALS) queue.record({ ...last, details: { repeated: count - MOST_REFUSALS } });
  }

  function closeEnded(now: number): void {
    for (const [key, repeated] of windows) {
      // In the order they began, so the first that has not ended is the last to be looked at.
      if (now < repeated.beganAt + WINDOW_MS && now >= repeated.beganAt && windows.size <= MOST_KINDS) return;
      close(key, repeated);
    }
  }

  const timer = setInterval(() => closeEnded(clock.now().getTime()), WINDOW_MS / 4);
  timer.unref();

  return {
    hasRoom: () => queue.hasRoom(),
    queryHash: (verb, request) => queue.queryHash(verb, request),
    record(record) {
      const entry = auditEntryOf(record);
      if (record.outcome === "ok") return queue.record(entry);
      const now = clock.now().getTime();
      closeEnded(now);
      const grantId = CLAIMS_ANYTHING.has(entry.outcome) ? undefined : entry.grantId;
      const key = [entry.event, entry.outcome, grantId ?? "", entry.reason ?? ""].join("\n");
      const repeated = windows.get(key) ?? { beganAt: now, count: 0, last: entry };
      repeated.count += 1;
      repeated.last = entry;
      windows.set(key, repeated);
      return repeated.count <= MOST_REFUSALS ? queue.record(entry) : "queued";
    },
    close() {
      clearInterval(timer);
      for (const [key, repeated] of windows) close(key, repeated);
    },
  };
}
