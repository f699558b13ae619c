import { setTimeout as wait } from "node:timers/promises";
import { Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { assertSchedulable, type CoordinationState, type OnFault, type ScheduledJob } from "../coordination.ts";
import { attempt } from "../in-process.ts";

/** How often a job is declared again: a Valkey that was emptied or replaced knows nothing of it. */
const DECLARE_EVERY_MS = 30_000;
/** How long a caller waits for the first declaration. */
const DECLARE_MS = 2000;
/** How long closing may wait for Valkey, beyond the runs under way. */
const CLOSE_MS = 2000;
/** The same fault of a job is reported once in this time. */
const SAME_FAULT_MS = 60_000;
/** BullMQ keeps a log of what happens to jobs, which nothing here reads. */
const EVENTS_KEPT = 100;

/** What BullMQ says of connections (the pulse tells of those) and of a run whose record is gone: it ran all the same. */
const EXPECTED =
  /Connection is closed|ECONN|ETIMEDOUT|EPIPE|timed out|Missing (?:key|lock) for job|Command aborted|Socket closed/;

/** The jobs of this replica. */
export interface Jobs {
  schedule(job: ScheduledJob): Promise<void>;
  /** Declares them all again: after Valkey was away. */
  declareAll(): Promise<void>;
  /** Resolves when no run is under way, and every connection is closed. */
  close(): Promise<void>;
}

export interface JobsOptions {
  /** Shared by all of BullMQ's own but the blocking ones, which it duplicates from it. */
  readonly connection: Redis;
  /** Of every key; in braces, so that a cluster keeps them on one node. */
  readonly prefix: string;
  /** How long a run stays its replica's after the replica fell silent. It's renewed while the run goes on. */
  readonly lockMs: number;
  /** Closes the connection, and those duplicated from it. */
  readonly disconnect: () => void;
  readonly state: () => CoordinationState;
  /** Hears what the jobs throw, as they throw it. */
  readonly onFault: OnFault;
  /** Hears what BullMQ throws: with the connection's secrets, so not fit for a log as it is. */
  readonly onBullmqFault: OnFault;
}

interface Declared {
  readonly job: ScheduledJob;
  readonly queue: Queue;
  readonly worker: Worker;
}

/**
 * Each job is a queue of its own with a global concurrency of one. A worker's concurrency is per replica, and BullMQ
 * makes the next run due before the present one ends: without the global limit a slow run would be joined by the next,
 * on another replica.
 */
export function createJobs(options: JobsOptions): Jobs {
  const { connection, prefix, lockMs, disconnect, state, onFault, onBullmqFault } = options;
  const declared = new Map<string, Declared>();
  const running = new Set<Promise<void>>();
  let closing = false;

  const report = createFaultReport(state, onBullmqFault);

  const declare = async ({ job, queue }: Declared): Promise<void> => {
    if (closing || state().status === "degraded") return;
    try {
      await queue.setGlobalConcurrency(1);
      await queue.upsertJobScheduler(
        job.name,
        { every: job.everyMs },
        { name: job.name, opts: { removeOnComplete: true, removeOnFail: true } },
      );
    } catch (error) {
      report(job.name, error);
    }
  };
  const declareAll = async (): Promise<void> => {
    await Promise.all([...declared.values()].map(declare));
  };
  const again = setInterval(() => void declareAll(), DECLARE_EVERY_MS).unref();

  const run = async (job: ScheduledJob): Promise<void> => {
    // What it throws stays in this process: BullMQ would keep the message in Valkey.
    const work = attempt(job, onFault);
    running.add(work);
    await work;
    running.delete(work);
  };

  return {
    async schedule(job) {
      assertSchedulable(job, declared);
      if (closing) return;
      const queue = new Queue(job.name, { connection, prefix, streams: { events: { maxLen: EVENTS_KEPT } } });
      const worker = new Worker(job.name, () => run(job), {
        connection,
        prefix,
        concurrency: 1,
        lockDuration: lockMs,
        stalledInterval: Math.ceil(lockMs / 3),
        // Its default of 15 s is how long a job would stay still after Valkey is back.
        runRetryDelay: 500,
      });
      queue.on("error", (error) => report(job.name, error));
      worker.on("error", (error) => report(job.name, error));
      const entry = { job, queue, worker };
      declared.set(job.name, entry);
      // Should Valkey go at this moment, the declaration waits for it, and the caller doesn't.
      await within(DECLARE_MS, declare(entry));
    },
    declareAll,
    async close() {
      closing = true;
      clearInterval(again);
      const all = [...declared.values()];
      // Each worker takes no further run, and tells Valkey of the one under way when that is done.
      const settled = Promise.allSettled(all.map(({ worker }) => worker.pause()));
      while (running.size > 0) await Promise.all(running);
      if (state().status === "ok") await within(CLOSE_MS, settled);
      disconnect();
      // By force, since all is done that can be: BullMQ's own close waits for a Valkey that may never come back.
      const closed = all.flatMap(({ worker, queue }) => [worker.close(true), queue.close()]);
      await within(CLOSE_MS, Promise.allSettled(closed));
    },
  };
}

/** Waits for what never rejects, but not for longer. */
async function within(limitMs: number, promise: Promise<unknown>): Promise<void> {
  const waiting = new AbortController();
  const tooLate = wait(limitMs, undefined, { signal: waiting.signal }).catch(() => undefined);
  await Promise.race([promise, tooLate]);
  waiting.abort();
}

/** Reports what isn't expected, and the same of a job once in a while only. */
function createFaultReport(state: () => CoordinationState, onFault: OnFault): OnFault {
  const reported = new Map<string, number>();
  return (name, error) => {
    const { message } = error instanceof Error ? error : new Error(String(error));
    const key = `${name} ${message}`;
    const now = performance.now();
    if (state().status === "degraded" || EXPECTED.test(message)) return;
    if (now - (reported.get(key) ?? -Infinity) < SAME_FAULT_MS) return;
    for (const [old, at] of reported) if (now - at > SAME_FAULT_MS) reported.delete(old);
    reported.set(key, now);
    onFault(name, error);
  };
}
