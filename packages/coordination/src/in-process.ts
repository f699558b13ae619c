import { assertSchedulable, type Coordination, type OnFault, type ScheduledJob } from "./coordination.ts";
import { createInProcessLimits } from "./in-process-limits.ts";
import { createListeners } from "./listeners.ts";

/** A gateway that has no other replica: jobs run by timers, which don't keep the process alive, and messages stay within. */
export function createInProcessCoordination({ onFault }: { readonly onFault: OnFault }): Coordination {
  const jobs = new Map<string, { timer: NodeJS.Timeout; running: Promise<void> }>();
  const listeners = createListeners(onFault);
  let closed = false;

  const start = (job: ScheduledJob): void => {
    const due = (delayMs: number): NodeJS.Timeout => setTimeout(run, delayMs).unref();
    const state = { timer: due(0), running: Promise.resolve() };
    jobs.set(job.name, state);

    function run(): void {
      const startedAt = performance.now();
      state.running = attempt(job, onFault).then(() => {
        const late = performance.now() - startedAt;
        if (!closed) state.timer = due(Math.max(0, job.everyMs - late));
      });
    }
  };

  return {
    async schedule(job) {
      assertSchedulable(job, jobs);
      if (!closed) start(job);
    },
    limits: createInProcessLimits(),
    state: () => ({ status: "ok" }),
    async publish(channel, message) {
      listeners.tell(channel, message);
    },
    subscribe: (channel, hear) => listeners.add(channel, hear),
    async close() {
      closed = true;
      listeners.clear();
      for (const { timer } of jobs.values()) clearTimeout(timer);
      await Promise.all([...jobs.values()].map(({ running }) => running));
    },
  };
}

/** One run. Never rejects: what it throws is reported. */
export async function attempt(job: ScheduledJob, onFault: OnFault): Promise<void> {
  try {
    await job.work();
  } catch (error) {
    onFault(job.name, error);
  }
}
