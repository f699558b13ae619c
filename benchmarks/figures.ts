import type { Round } from "./load.ts";

/** A candidate beside the floor, over all rounds of one number of connections. */
export interface LoadFigures {
  readonly name: string;
  readonly connections: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Of the pairs' ratios to the floor measured right before, the median. Above 1 throughput is better, p50 worse. */
  readonly ratio: { readonly throughput: number; readonly p50: number };
}

/** The middle value; of two, the mean. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** @param sorted ascending */
export function percentile(sorted: readonly number[], percent: number): number {
  const index = Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1);
  return sorted[index] ?? Number.NaN;
}

/** A round of a candidate, and the floor's round right before it. */
export interface Pair {
  readonly floor: Round;
  readonly candidate: Round;
}

const p50 = ({ latenciesMs }: Round): number => percentile(latenciesMs, 50);

/** Medians over the rounds, so that one disturbed round decides nothing. */
export function figuresOf(name: string, connections: number, pairs: readonly Pair[]): LoadFigures {
  const rounds = pairs.map(({ candidate }) => candidate);
  const overRounds = (percent: number): number =>
    median(rounds.map(({ latenciesMs }) => percentile(latenciesMs, percent)));
  return {
    name,
    connections,
    requestsPerSecond: median(rounds.map(({ requestsPerSecond }) => requestsPerSecond)),
    p50Ms: overRounds(50),
    p95Ms: overRounds(95),
    p99Ms: overRounds(99),
    ratio: {
      throughput: median(pairs.map(({ floor, candidate }) => candidate.requestsPerSecond / floor.requestsPerSecond)),
      p50: median(pairs.map(({ floor, candidate }) => p50(candidate) / p50(floor))),
    },
  };
}
