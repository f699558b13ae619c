import type { Share } from "./blend.ts";

/** A row that a source found, as it will be answered. */
export interface FoundRow {
  readonly resource: string;
  readonly id: string;
  /** How well it matches, 0 or more; 0 where its source does not say. */
  readonly score: number;
  readonly json: string;
}

/** What one source found, best first. */
export interface FoundPage {
  readonly source: string;
  readonly rows: readonly FoundRow[];
  /** Whether it found more. */
  readonly more: boolean;
}

/** What all sources found together. */
export interface BlendedFind {
  readonly rows: readonly FoundRow[];
  /** By source, for each that answered. */
  readonly shares: ReadonlyMap<string, Share>;
}

interface Placed {
  readonly source: string;
  readonly place: number;
  readonly row: FoundRow;
}

/** The customary constant of fusion by reciprocal rank: how fast a place further down counts less. */
const K = 60;

/**
 * Makes one ranking of several sources' by reciprocal rank, of two rankings of each row: its place in its own source, and its
 * place among all of them by score. A row is in one source alone, so that places by themselves would only deal the sources'
 * rows out in turn; scores by themselves would leave the order to whichever source claims the most.
 * Of equal rows the newest id is first, then the source whose name is.
 *
 * @param limit the most rows of the answer, at least 1
 */
export function blendFound(pages: readonly FoundPage[], limit: number): BlendedFind {
  const placed: Placed[] = pages.flatMap(({ source, rows }) => rows.map((row, place) => ({ source, place, row })));
  const byScore = placed.toSorted(
    (one, other) => other.row.score - one.row.score || one.place - other.place || byName(one, other),
  );
  const fused = byScore
    .map((one, index) => ({ ...one, value: 1 / (K + one.place + 1) + 1 / (K + index + 1) }))
    .toSorted((one, other) => other.value - one.value || byName(one, other));
  const kept = inOwnOrder(fused).slice(0, limit);
  const shares = pages.map(({ source, rows, more }): [string, Share] => {
    const given = kept.filter((one) => one.source === source).length;
    return [source, { rows: given, truncated: more || given < rows.length }];
  });
  return { rows: kept.map(({ row }) => row), shares: new Map(shares) };
}

/** A source's own ranking is what it says: what stands higher there never stands lower here. */
function inOwnOrder(fused: readonly Placed[]): readonly Placed[] {
  const queues = new Map<string, Placed[]>();
  for (const one of fused.toSorted((left, right) => left.place - right.place)) {
    queues.set(one.source, [...(queues.get(one.source) ?? []), one]);
  }
  return fused.map((one) => queues.get(one.source)?.shift() ?? one);
}

function byName(one: Placed, other: Placed): number {
  if (one.row.id !== other.row.id) return one.row.id > other.row.id ? -1 : 1;
  if (one.source !== other.source) return one.source < other.source ? -1 : 1;
  return one.row.resource < other.row.resource ? -1 : 1;
}
