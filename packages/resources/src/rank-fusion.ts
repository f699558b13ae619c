/** How fast a place further down counts less. The customary value, of the paper the method is from (Cormack et al., 2009). */
const K = 60;

interface Ranked {
  readonly resource: string;
  readonly id: string;
}

/**
 * Makes one ranking of several by reciprocal rank: an item scores 1 / (60 + its place) in each that has it. Only places
 * count, so rankings whose scores can't be compared are fused. Equal scores are ordered by id, newest first, then resource.
 */
export function fuse<Item extends Ranked>(rankings: readonly (readonly Item[])[]): readonly Item[] {
  const scored = new Map<string, { readonly item: Item; score: number }>();
  for (const ranking of rankings) {
    for (const [index, item] of ranking.entries()) {
      const key = `${item.resource} ${item.id}`;
      const known = scored.get(key) ?? { item, score: 0 };
      known.score += 1 / (K + index + 1);
      scored.set(key, known);
    }
  }
  return [...scored.values()].toSorted(before).map(({ item }) => item);
}

function before(one: { item: Ranked; score: number }, other: { item: Ranked; score: number }): number {
  if (one.score !== other.score) return other.score - one.score;
  if (one.item.id !== other.item.id) return one.item.id > other.item.id ? -1 : 1;
  return one.item.resource < other.item.resource ? -1 : 1;
}
