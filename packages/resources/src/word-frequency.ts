import type { ReadStore } from "@mosaicstack/storage";
import type { SearchableResource } from "./definition.ts";
import { MOST_WORDS } from "./search-words.ts";

/** How many rows may have one of the words that are looked for singly. Each is fetched, at some microseconds. */
const MOST_ROWS = 4_000;

/** Where no more than these are visible every word is looked for: the space's index finds them, however many rows others have. */
const FEW = 20_000;

interface PlanNode {
  readonly "Plan Rows": number;
  readonly "Node Type": string;
  readonly Plans?: readonly PlanNode[];
}

/** How often each word stands in a table, as the planner has it from ANALYZE: one scan a word, in their order. */
function estimates(resources: readonly SearchableResource[]): string {
  const scans = Array.from({ length: MOST_WORDS }, (_, index) =>
    resources.map(
      ({ from }) => `select 1 from ${from.table} r
        where r.search_document @@ websearch_to_tsquery('english', '"' || $${index + 1}::text || '"')`,
    ),
  );
  return `explain (format json) ${scans.flat().join(" union all ")}`;
}

/** How many rows are visible, as far as it matters. $1 the spaces. */
function visibleRows(resources: readonly SearchableResource[]): string {
  const each = resources.map(({ from }) => `select 1 from ${from.table} r where r.${from.space} = any($1::uuid[])`);
  return `select count(*)::int as rows from (${each.join(" union all ")} limit ${FEW + 1}) visible`;
}

/**
 * Of the words of a query those that tell rows apart, the rarest first: so many that no more than some thousand rows have
 * one of them, and at least one. Where few rows are visible it is all of them: how common a word is in all rows there are, which
 * decides elsewhere, would tell what others write of.
 *
 * A common word says little of a row, and to fetch all that have it would take seconds in a large database.
 */
export async function rareWords(
  read: ReadStore,
  resources: readonly SearchableResource[],
  words: readonly string[],
  spaces: readonly string[],
): Promise<readonly string[]> {
  const [size] = await read.query<{ rows: number }>(visibleRows(resources), [spaces]);
  if (size === undefined || size.rows <= FEW) return words;
  const padded = Array.from({ length: MOST_WORDS }, (_, index) => words[index] ?? words[0] ?? "");
  const [plan] = await read.query<Record<string, readonly [{ readonly Plan: PlanNode }]>>(estimates(resources), padded);
  const scans = Object.values(plan ?? {})[0]?.[0].Plan.Plans ?? [];
  const frequencies = words.map((word, index) => ({
    word,
    rows: resources.reduce((sum, _, at) => sum + (scans[index * resources.length + at]?.["Plan Rows"] ?? 0), 0),
  }));
  let rows = 0;
  return frequencies
    .toSorted((one, other) => one.rows - other.rows)
    .filter((one, index) => (rows += one.rows) <= MOST_ROWS || index === 0)
    .map(({ word }) => word);
}
