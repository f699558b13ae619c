import type { Clock } from "@mosaicstack/foundation";
import type { AuditEntry } from "./audit-log.ts";

/** Entries of one side that were not taken, one after the other. */
export interface AuditGap {
  readonly side: AuditEntry["side"];
  readonly count: number;
  /** When the first and the last of them were refused, ISO 8601. */
  readonly details: { readonly since: string; readonly until: string };
}

/** What is missing from the audit, until the audit says so itself. */
export interface AuditGaps {
  /** Counts one entry that was not taken. */
  add(side: AuditEntry["side"]): void;
  /** Whether there is a gap that has not been closed. */
  any(): boolean;
  /** Entries not taken since the process started. */
  total(): number;
  /** The gaps there are, at most one a side; none is left. */
  close(): readonly AuditGap[];
}

export function createAuditGaps(clock: Clock): AuditGaps {
  const open = new Map<AuditEntry["side"], AuditGap>();
  let total = 0;
  return {
    add(side) {
      total += 1;
      const until = clock.now().toISOString();
      const { count, details } = open.get(side) ?? { count: 0, details: { since: until } };
      open.set(side, { side, count: count + 1, details: { since: details.since, until } });
    },
    any: () => open.size > 0,
    total: () => total,
    close() {
      const closed = [...open.values()];
      open.clear();
      return closed;
    },
  };
}
