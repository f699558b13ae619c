import type { Clock } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { and, eq } from "drizzle-orm";
import type { PeerRow } from "./peer-store.ts";

const { federationPeers: table } = schema;

/** The least time between two writes of one peer's health. */
const MIN_WRITE_INTERVAL_MS = 60_000;

/** How asking a peer came out last. */
export interface Health {
  readonly lastSuccessAt: Date | null;
  readonly lastFailureAt: Date | null;
  /** Code of the last failure. */
  readonly lastFailure: string | null;
  /** More than the code says, e.g. why its CRL proved nothing; null: there is no more. */
  readonly lastFailureReason: string | null;
}

/** Each peer's health: kept in memory, so that a query writes nothing, and written down once a minute at most. */
export interface PeerHealth {
  succeeded(row: Identified): void;
  failed(row: Identified, code: string, reason?: string): void;
  /** The newest that is known: of this process, or as it was written down. */
  of(row: PeerRow): Health;
  forget(peerId: string): void;
  /** Writes down what has not been. */
  flush(): Promise<void>;
}

type Identified = Pick<PeerRow, "id" | "userId">;

interface Entry {
  readonly userId: string;
  successAt: Date | undefined;
  failureAt: Date | undefined;
  failure: string | undefined;
  writtenAt: number;
  isDirty: boolean;
}

export function createPeerHealth({ db }: Pick<Store, "db">, clock: Clock): PeerHealth {
  const entries = new Map<string, Entry>();
  const writing = new Set<Promise<void>>();

  function entryOf({ id, userId }: Identified): Entry {
    const known = entries.get(id);
    if (known !== undefined) return known;
    const entry = {
      userId,
      successAt: undefined,
      failureAt: undefined,
      failure: undefined,
      writtenAt: 0,
      isDirty: false,
    };
    entries.set(id, entry);
    return entry;
  }

  async function write(id: string, entry: Entry): Promise<void> {
    entry.isDirty = false;
    entry.writtenAt = clock.now().getTime();
    const { userId, successAt, failureAt, failure } = entry;
    await db
      .update(table)
      .set({
        ...(successAt === undefined ? {} : { lastSuccessAt: successAt }),
        ...(failureAt === undefined ? {} : { lastFailureAt: failureAt, lastFailure: failure ?? null }),
      })
      .where(and(eq(table.id, id), eq(table.userId, userId)));
  }

  function changed(id: string, entry: Entry): void {
    entry.isDirty = true;
    if (Math.abs(clock.now().getTime() - entry.writtenAt) < MIN_WRITE_INTERVAL_MS) return;
    // A write that fails is made up for by the next one.
    const written: Promise<void> = write(id, entry)
      .catch(() => void (entry.isDirty = true))
      .finally(() => writing.delete(written));
    writing.add(written);
  }

  return {
    succeeded(row) {
      const entry = entryOf(row);
      entry.successAt = clock.now();
      changed(row.id, entry);
    },
    failed(row, code, reason) {
      const entry = entryOf(row);
      entry.failureAt = clock.now();
      entry.failure = reason === undefined ? code : `${code}:${reason}`;
      changed(row.id, entry);
    },
    of(row) {
      const entry = entries.get(row.id);
      const lastFailureAt = later(entry?.failureAt ?? null, row.lastFailureAt);
      const failure = lastFailureAt === entry?.failureAt ? entry?.failure : row.lastFailure;
      const [code, reason] = (failure ?? "").split(":");
      return {
        lastSuccessAt: later(entry?.successAt ?? null, row.lastSuccessAt),
        lastFailureAt,
        lastFailure: code === undefined || code === "" ? null : code,
        lastFailureReason: reason ?? null,
      };
    },
    forget: (peerId) => void entries.delete(peerId),
    async flush() {
      await Promise.all(writing);
      for (const [id, entry] of entries) if (entry.isDirty) await write(id, entry);
    },
  };
}

function later(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
}
