import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import type { Client } from "./load.ts";

/** What an open loop met. */
export interface OpenLoop {
  readonly asked: number;
  /** From the moment each was due, whenever it could be sent; of those answered rightly, ascending. */
  readonly latenciesMs: readonly number[];
  /** Each kind of failure, and how often it was met. */
  readonly failures: ReadonlyMap<string, number>;
  /** The most that were under way at once. */
  readonly mostUnderWay: number;
}

/**
 * Asks at a steady rate, however long the answers take, and waits for the last of them. One that is late for being asked
 * counts from when it was due: a generator that waited would hide what its waiting is for.
 *
 * @param isRight whether a 200's body is what was asked for; what is not is a failure
 * @param signal ends it before its time
 */
export async function runOpenLoop(
  client: Client,
  pace: { readonly perSecond: number; readonly durationMs: number; readonly signal?: AbortSignal },
  isRight: (text: string) => boolean,
): Promise<OpenLoop> {
  const latenciesMs: number[] = [];
  const failures = new Map<string, number>();
  const underWay = new Set<Promise<void>>();
  let mostUnderWay = 0;
  let asked = 0;
  const fail = (reason: string): void => void failures.set(reason, (failures.get(reason) ?? 0) + 1);
  const askOne = async (dueAt: number): Promise<void> => {
    try {
      const text = await client.ask();
      if (isRight(text)) latenciesMs.push(performance.now() - dueAt);
      else fail(`a wrong answer: ${text.slice(-300)}`);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  };
  const everyMs = 1000 / pace.perSecond;
  const startedAt = performance.now();
  for (let dueAt = startedAt; dueAt < startedAt + pace.durationMs; dueAt += everyMs) {
    const early = dueAt - performance.now();
    if (early > 0) await wait(early, undefined, { signal: pace.signal }).catch(() => undefined);
    if (pace.signal?.aborted === true) break;
    asked += 1;
    const one: Promise<void> = askOne(dueAt).finally(() => underWay.delete(one));
    underWay.add(one);
    mostUnderWay = Math.max(mostUnderWay, underWay.size);
  }
  await Promise.all(underWay);
  return { asked, latenciesMs: latenciesMs.toSorted((one, other) => one - other), failures, mostUnderWay };
}
