import type { RateLimits } from "./rate-limits.ts";

/** A job that one replica at a time runs, again and again. */
export interface ScheduledJob {
  /** Its name on every replica: lower-case letters, digits and `-`. */
  readonly name: string;
  /** From the start of one run to the next, 1 ms to 24 days. */
  readonly everyMs: number;
  /**
   * What a run does. It must bear being run twice: a replica that is killed half-way is replaced by one that starts
   * anew, and while Valkey is away longer than a job's lock lasts, two replicas may run it at once.
   */
  work(): Promise<void>;
}

/** Whether the replicas hear of each other now. */
export type CoordinationState =
  | { readonly status: "ok" }
  | {
      readonly status: "degraded";
      readonly since: Date;
      /** A few words for people, e.g. `connection refused`. */
      readonly cause: string;
    };

/** What failed, and how: the name of a job, or `channel <name>`. The error never holds a password. */
export type OnFault = (name: string, error: unknown) => void;

/** What the replicas of one gateway share. ADR 4. */
export interface Coordination {
  /**
   * Runs `job.work` every `job.everyMs`, one run at a time whatever the number of replicas: at once where no replica ran
   * it before, else when it's next due. Times that pass while it runs, or while nobody can run it, are made up for by
   * one run. A run that fails is reported to `onFault` and tried again at the next time.
   *
   * Throws nothing when Valkey is away: the job starts when it's back.
   *
   * @throws RangeError for a name, a time or a second job of a name that can't be.
   */
  schedule(job: ScheduledJob): Promise<void>;
  /** Limits that all replicas share. */
  readonly limits: RateLimits;
  /** Never older than about a second. */
  state(): CoordinationState;
  /**
   * Tells every replica, this one included. Best effort: this replica hears it for certain and before the promise
   * resolves, the others unless the connection fails. Never throws, and takes at most a second.
   */
  publish(channel: string, message: string): Promise<void>;
  /** Has `hear` called with each message to the channel until `close`. What it throws is reported to `onFault`. */
  subscribe(channel: string, hear: (message: string) => void): void;
  /** Starts no further run, waits for those under way, and lets go of every timer and connection. Never throws. */
  close(): Promise<void>;
}

const JOB_NAME = /^[a-z0-9][a-z0-9-]*$/;

/** What a timer of Node can wait. */
const MAX_EVERY_MS = 2_147_483_647;

/** @throws RangeError where the job can't be scheduled beside those of the `taken` names. */
export function assertSchedulable(job: ScheduledJob, taken: { has(name: string): boolean }): void {
  if (!JOB_NAME.test(job.name)) throw new RangeError(`A job can't be named ${JSON.stringify(job.name)}.`);
  if (!Number.isInteger(job.everyMs) || job.everyMs < 1 || job.everyMs > MAX_EVERY_MS) {
    throw new RangeError(`The job ${job.name} can't run every ${job.everyMs} ms.`);
  }
  if (taken.has(job.name)) throw new RangeError(`A job named ${job.name} is scheduled already.`);
}
