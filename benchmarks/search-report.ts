import { type Aim, table } from "./report.ts";
import { JUDGED, type LatencyFigures } from "./search-latency.ts";
import { type QualityFigures, RANKINGS } from "./search-quality.ts";

/** What `search` measured; what `--json` prints of it. */
export interface SearchReport {
  readonly node: string;
  /** Rows of text that were searched for the latency. */
  readonly rows: number;
  /** Empty: the proposals were not given. */
  readonly quality: readonly QualityFigures[];
  readonly latency: readonly LatencyFigures[];
  readonly aims: readonly Aim[];
}

const BLENDED = 0.95;
const P95_MS = 50;
const [KEYWORDS, ONE, TWO] = RANKINGS;

export function searchAims(quality: readonly QualityFigures[], latency: readonly LatencyFigures[]): Aim[] {
  const aims: Aim[] = [];
  const all = quality.find(({ kind }) => kind === "all");
  if (all !== undefined) {
    const of = (wanted: string) =>
      all.rankings.find(({ name }) => name === wanted) ?? { mrr: Number.NaN, ndcg: Number.NaN };
    for (const measure of ["mrr", "ndcg"] as const) {
      const name = measure === "mrr" ? "MRR@10" : "nDCG@10";
      const [keywords, one, two] = [of(KEYWORDS)[measure], of(ONE)[measure], of(TWO)[measure]];
      aims.push(
        {
          name: `${name} over two gateways, of that over one`,
          aim: `>= ${BLENDED}`,
          measured: (two / one).toFixed(3),
          reached: two / one >= BLENDED,
        },
        {
          name: `${name}, of that by keywords alone`,
          aim: "> 1",
          measured: (one / keywords).toFixed(2),
          reached: one > keywords,
        },
      );
    }
  }
  for (const { kind, p95Ms: p95 } of latency) {
    if (!JUDGED.includes(kind)) continue;
    aims.push({
      name: `search, p95, ${kind}`,
      aim: `<= ${P95_MS} ms`,
      measured: `${p95.toFixed(1)} ms`,
      reached: p95 <= P95_MS,
    });
  }
  return aims;
}

/** What is printed for people. */
export function searchText({ node, rows, quality, latency, aims }: SearchReport): string {
  const qualityRows = quality.map(({ kind, searches, rankings }) => [
    kind,
    String(searches),
    ...rankings.map(({ mrr, ndcg }) => `${mrr.toFixed(3)} / ${ndcg.toFixed(3)}`),
  ]);
  const latencyRows = latency.map(({ kind, searches, p50Ms, p95Ms }) => [
    kind,
    String(searches),
    p50Ms.toFixed(1),
    p95Ms.toFixed(1),
  ]);
  const aimRows = aims.map((aim) => [aim.name, aim.aim, aim.measured, aim.reached ? "reached" : "missed"]);
  return [
    `Node ${node}`,
    quality.length === 0
      ? "\nQuality was not measured: KEP_DATA names no folder."
      : `\nKnown items, MRR@10 / nDCG@10\n${table([["", "searches", ...RANKINGS], ...qualityRows])}`,
    latency.length === 0
      ? ""
      : `\n${rows} rows of text on PostgreSQL, half of them visible\n${table([["", "searches", "p50 ms", "p95 ms"], ...latencyRows])}`,
    `\nAims\n${table([["", "aim", "measured", ""], ...aimRows])}`,
    "",
  ].join("\n");
}
