import { setMaxListeners } from "node:events";
import { performance } from "node:perf_hooks";
import { Problem } from "@mosaicstack/foundation";
import type { SourceReport } from "@mosaicstack/federation-protocol";
import { peerProblem } from "./problems.ts";
import { reportedError, statusOf } from "./source-status.ts";
import { untilAborted } from "./until-aborted.ts";

/** Why what is under way is given up once there is an answer. One for all: to make an error takes its stack each time. */
const NOT_WANTED = new Error("the answer is not wanted any more");

/** How asking one source came out. */
export type Outcome<Answer> = { readonly source: string; readonly tookMs: number } & (
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly problem: Problem }
);

/** One source and what to ask of it. */
export interface Question<Answer> {
  readonly source: string;
  readonly ask: (signal: AbortSignal) => Promise<Answer>;
}

/**
 * Asks all sources side by side under one deadline and hands on the outcomes in the order of the questions, each as soon as
 * those before it are there. What is under way when `use` has ended is aborted.
 *
 * @throws what is no Problem: a fault, which no other source's rows should hide
 */
export async function askAll<Answer, Result>(
  questions: readonly Question<Answer>[],
  deadlineMs: number,
  use: (outcomes: readonly Promise<Outcome<Answer>>[]) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  // Each source listens more than once, and Node would take the eleventh listener for a leak.
  setMaxListeners(0, deadline.signal);
  const timer = setTimeout(() => deadline.abort(peerProblem("peer_timeout")), deadlineMs);
  const outcomes = questions.map((question) => askOne(question, deadline.signal));
  // `use` may end before the last of them: that one's fault has nobody to go to.
  for (const outcome of outcomes) outcome.catch(() => undefined);
  try {
    return await use(outcomes);
  } finally {
    clearTimeout(timer);
    // No deadline was missed: what is still under way is not wanted any more.
    deadline.abort(NOT_WANTED);
  }
}

async function askOne<Answer>({ source, ask }: Question<Answer>, signal: AbortSignal): Promise<Outcome<Answer>> {
  const startedAt = performance.now();
  const took = () => Math.round((performance.now() - startedAt) * 10) / 10;
  try {
    return { kind: "answered", source, answer: await untilAborted(ask(signal), signal), tookMs: took() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { kind: "failed", source, problem: error, tookMs: took() };
  }
}

/** A source's report, by what it gave to the answer. */
export function reportOf(outcome: Outcome<unknown>, rows = 0, truncated = false): SourceReport {
  const { source, tookMs } = outcome;
  if (outcome.kind === "answered") return { source, status: "ok", took_ms: tookMs, rows, truncated };
  const { problem } = outcome;
  const error = reportedError(problem);
  return { source, status: statusOf(problem), took_ms: tookMs, rows: 0, truncated: false, error };
}
