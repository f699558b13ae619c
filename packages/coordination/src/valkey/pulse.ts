import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "@mosaicstack/foundation";
import type { Redis } from "ioredis";
import type { CoordinationState } from "../coordination.ts";
import { explainValkeyError } from "./failure.ts";

/** With {@link ANSWER_MS}, a server that falls silent is noticed within a second. */
const BEAT_MS = 250;
const ANSWER_MS = 700;

/** How often a write is tried too: a full disk, a full memory or a replica answers PING all the same. */
const WRITE_EVERY_MS = 5000;
/** How long what was written is kept, where nobody writes it again. */
const KEEP_MS = 60_000;

/** How long a silent server may hold the connections before they are made anew. */
const RENEW_AFTER_MS = 5000;

/** Whether Valkey answers. */
export interface Pulse {
  state(): CoordinationState;
  /** What went wrong on a connection, for the state's cause; as ioredis throws it. */
  noteError(error: Error): void;
  stop(): Promise<void>;
}

export interface PulseOptions {
  /** A connection of its own, so that no other command is in the way. */
  readonly connection: Redis;
  /** A key to write to. */
  readonly key: string;
  readonly clock: Clock;
  /** Hears each change: once when Valkey is lost and once when it's back. */
  readonly onState: (state: CoordinationState) => void;
  /** What was kept in Valkey is gone: after it was lost, or because somebody emptied it. */
  readonly onEmptied: () => void;
  /** Makes every connection anew. */
  readonly renew: () => void;
}

/** Feels Valkey's pulse until it's stopped. It starts out as `ok`: call it where Valkey has just answered. */
export function startPulse({ connection, key, clock, onState, onEmptied, renew }: PulseOptions): Pulse {
  let state: CoordinationState = { status: "ok" };
  let lastError: Error | undefined;
  let writtenAt = -Infinity;
  let heardAt = performance.now();
  const stopping = new AbortController();

  const change = (next: CoordinationState): void => {
    state = next;
    onState(next);
  };
  const lost = (error: unknown): void => {
    if (state.status === "ok" && !stopping.signal.aborted) {
      change({ status: "degraded", since: clock.now(), cause: explainValkeyError(error).cause });
    }
  };

  const beat = async (): Promise<void> => {
    const isUp = connection.status === "ready";
    try {
      if (!isUp) throw lastError ?? new Error("connection closed");
      if (state.status === "degraded" || performance.now() - writtenAt > WRITE_EVERY_MS) {
        const before = await answered(connection.set(key, clock.now().toISOString(), "PX", KEEP_MS, "GET"));
        if (before === null && performance.now() - writtenAt < KEEP_MS) onEmptied();
        writtenAt = performance.now();
      } else {
        await answered(connection.ping());
      }
      heardAt = performance.now();
      lastError = undefined;
      if (state.status === "degraded" && !stopping.signal.aborted) change({ status: "ok" });
    } catch (error) {
      lost(error);
      if (performance.now() - heardAt > RENEW_AFTER_MS) {
        heardAt = performance.now();
        renew();
      }
    }
  };

  const onClose = (): void => lost(lastError ?? new Error("connection closed"));
  connection.on("close", onClose);
  const beating = (async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await wait(BEAT_MS, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (!stopping.signal.aborted) await beat();
    }
  })();

  return {
    state: () => state,
    noteError(error) {
      lastError = error;
    },
    async stop() {
      stopping.abort();
      connection.off("close", onClose);
      await beating;
    },
  };
}

/** @throws Error where the server has not answered in time. */
export async function answered<T>(command: Promise<T>): Promise<T> {
  // One that is given up may fail later, with nobody to hear.
  command.catch(() => undefined);
  const given = new AbortController();
  const tooLate = wait(ANSWER_MS, undefined, { signal: given.signal, ref: false }).then(async () => {
    // Where this process was what stood still, the answer is at hand and only waits to be read.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    throw new Error("timed out");
  });
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([command, tooLate]);
  } finally {
    given.abort();
  }
}
