import { PLANNED_ANEW, type ReadStore } from "@mosaicstack/storage";
import type { SearchableResource } from "./definition.ts";

/** How many rows may have one of the words that are looked for singly. Each is fetched, at some microseconds. */
const MOST_ROWS = 2_000;
/** Of a word the statistics don't know there may be as many: whether there is any is asked, and what it may have meant. */
const UNKNOWN_ROWS = 4_000;

/** Where no more than these are visible every word is looked for: the space's index finds them, however many rows others have. */
const FEW = 20_000;

/** With more parts than these, an index takes longer to intersect the lists of all than to read what the rarest leave. */
const NARROWED_BY = 4;

interface PlanNode {
  readonly "Plan Rows": number;
  readonly "Node Type": string;
  readonly Plans?: readonly PlanNode[];
}

/** Something that is looked for, and about how many rows have it. */
interface Frequency {
  readonly text: string;
  readonly rows: number;
}

/**
 * How many rows there are, anybody's, with each of some texts, as the planner has it from ANALYZE: the rarest first.
 * @param query the SQL of a tsquery, of the SQL of a text
 */
async function frequencies(
  read: ReadStore,
  resources: readonly SearchableResource[],
  texts: readonly string[],
  query: (text: string) => string,
): Promise<readonly Frequency[]> {
  const scans = texts.flatMap((_, index) =>
    resources.map(
      ({ from }) => `select 1 from ${from.table} r where r.search_document @@ ${query(`$${index + 1}::text`)}`,
    ),
  );
  // A scan alone would not be appended to others.
  const [plan] = await read.query<Record<string, readonly [{ readonly Plan: PlanNode }]>>(
    `${PLANNED_ANEW}explain (format json) ${[...scans, "values (1)"].join(" union all ")}`,
    texts,
  );
  const planned = Object.values(plan ?? {})[0]?.[0].Plan.Plans ?? [];
  return texts
    .map((text, index) => ({
      text,
      rows: resources.reduce((sum, _, at) => sum + (planned[index * resources.length + at]?.["Plan Rows"] ?? 0), 0),
    }))
    .toSorted((one, other) => one.rows - other.rows);
}

/** How many rows are visible, as far as it matters. $1 the spaces. */
function visibleRows(resources: readonly SearchableResource[]): string {
  const each = resources.map(({ from }) => `select 1 from ${from.table} r where r.${from.space} = any($1::uuid[])`);
  return `select count(*)::int as rows from (${each.join(" union all ")} limit ${FEW + 1}) visible`;
}

/**
 * Whether few rows are visible. Then all words are looked for: how common a word is in all rows there are, which decides
 * elsewhere, would tell what others write of.
 */
export async function areFewVisible(
  read: ReadStore,
  resources: readonly SearchableResource[],
  spaces: readonly string[],
): Promise<boolean> {
  const [size] = await read.query<{ rows: number }>(visibleRows(resources), [spaces]);
  return size === undefined || size.rows <= FEW;
}

/** The words that tell rows apart, and whether they do: not where even the rarest is common. */
export interface RareWords {
  readonly words: readonly string[];
  /** Those that may be in no row at all: each that is not common. */
  readonly uncommon: readonly string[];
  readonly areCommon: boolean;
}

/**
 * Of some words those that tell rows apart, the rarest first: so many that no more than some thousand rows have one of them, or
 * else the rarest.
 *
 * A common word says little of a row, and to fetch all that have it would take seconds in a large database.
 */
export async function rareWords(
  read: ReadStore,
  resources: readonly SearchableResource[],
  words: readonly string[],
): Promise<RareWords> {
  const known = await frequencies(
    read,
    resources,
    words,
    (text) => `websearch_to_tsquery('english', '"' || ${text} || '"')`,
  );
  let rows = 0;
  const rare = known.filter((one) => (rows += one.rows) <= MOST_ROWS).map(({ text }) => text);
  const uncommon = known.filter((one) => one.rows <= UNKNOWN_ROWS).map(({ text }) => text);
  const rarest = known.slice(0, 1).map(({ text }) => text);
  return { words: rare.length > 0 ? rare : rarest, uncommon, areCommon: rare.length === 0 };
}

/**
 * What an index is best asked for in the place of a query for all of many words, as a tsquery: those parts of it that fewest rows
 * have, each once. Null: the query itself, its parts being few. Which they are changes nothing of what is found.
 *
 * @param words without operators
 */
export async function narrowed(
  read: ReadStore,
  resources: readonly SearchableResource[],
  words: string,
): Promise<string | null> {
  const singly = words.toLowerCase().split(/\s+/u);
  const areFew = singly.length <= NARROWED_BY;
  // A word that is there twice would count as two that seldom meet.
  if (areFew && new Set(singly).size === singly.length) return null;
  const [query] = await read.query<{ text: string }>("select websearch_to_tsquery('english', $1::text)::text as text", [
    words,
  ]);
  const parts = [...new Set(query?.text.split(" & "))];
  if (parts.length <= NARROWED_BY) return parts.join(" & ");
  const known = await frequencies(read, resources, parts, (text) => `${text}::tsquery`);
  return known
    .slice(0, NARROWED_BY)
    .map(({ text }) => text)
    .join(" & ");
}
