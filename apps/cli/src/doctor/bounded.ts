import type { Host } from "../host.ts";
import { cliProblem } from "../problems.ts";
import { type Check, fault } from "./check.ts";

/** How long anything that is asked may take to answer. */
export const LIMIT_MS = 5000;
/** What a check has on top, to load a library on a busy machine, so that the limits within it speak first. */
const GRACE_MS = 5000;

/**
 * Runs a check that ends in time, whatever it asks, and says how long it took.
 *
 * @param name of the fault, where it does not
 * @throws Problem `interrupted`
 */
export async function bounded(
  host: Host,
  name: string,
  work: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  const started = performance.now();
  const ended = new AbortController();
  try {
    const checks = await Promise.race([work(), tooLate(name, ended.signal), interrupted(host.signal, ended.signal)]);
    const tookMs = Math.round(performance.now() - started);
    return checks.map((check) => ({ ...check, took_ms: tookMs }));
  } finally {
    ended.abort();
  }
}

async function tooLate(name: string, ended: AbortSignal): Promise<readonly Check[]> {
  return await new Promise((resolve) => {
    const timer = setTimeout(() => {
      const seconds = Math.round((LIMIT_MS + GRACE_MS) / 1000);
      resolve([fault(name, "check_timeout", `The check did not end within ${seconds} s.`)]);
    }, LIMIT_MS + GRACE_MS);
    ended.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}

async function interrupted(signal: AbortSignal, ended: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const stop = (): void => reject(cliProblem("interrupted"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    ended.addEventListener("abort", () => signal.removeEventListener("abort", stop), { once: true });
  });
}
