import { PLANNED_ANEW, type ReadStore } from "@mosaicstack/storage";
import type { ResourceDefinition, SearchableResource } from "./definition.ts";
import { text } from "./field.ts";
import { type Audience, projection, type Visibility, visibilityParameters, visibleSpaces } from "./reads.ts";
import { fuse } from "./rank-fusion.ts";
import { registry } from "./registry.ts";
import { eachOf, eitherOf, hasOperators, wordsOf } from "./search-words.ts";
import { allWords, anyWord, meantWords, nearest, unusedWords } from "./search-rankings.ts";
import { anyOf, findMeantWords, inTitles, MOST_MISSPELT, rareOf } from "./search-spelling.ts";
import { snippetOf } from "./snippet.ts";
import { type Searched, searchedBy } from "./visible-rows.ts";
import { areFewVisible, narrowed, rareWords } from "./word-frequency.ts";

/** The longest query, in UTF-16 units, and the most rows one search answers with. */
export const MAX_QUERY_LENGTH = 512;
export const MAX_SEARCH_ROWS = 100;

/** What is searched for, as it comes from outside. */
export const queryText = text(MAX_QUERY_LENGTH)
  .trim()
  .min(1, "must not be blank")
  .describe('Words to look for. "Words in quotes" stand together; -word leaves rows out; or means either');

function isSearchable(definition: ResourceDefinition): definition is SearchableResource {
  return definition.search !== undefined;
}

/** Every resource that is searched, in the registry's order. */
export const searchable: readonly SearchableResource[] = registry.filter(isSearchable);

/** What an embedding model made of a query. */
export interface QueryVector {
  readonly model: string;
  readonly embedding: readonly number[];
}

export interface SearchQuery {
  readonly text: string;
  /** At least one. */
  readonly resources: readonly SearchableResource[];
  readonly visibility: Visibility;
  /** Only where the database has the embeddings table. */
  readonly vector?: QueryVector | undefined;
}

/** A row that may answer a search: what it is, and nothing of what it says. */
export interface Candidate {
  readonly resource: string;
  readonly id: string;
  /** How well it matches, 0 or more: on the same scale in every gateway, for whoever joins their answers. */
  readonly score: number;
}

/** The rows found, best first, their JSON built by the database. */
export interface FoundRows {
  /** Each `{"resource", "row", "snippet", "score"}`, the row as a list has it. */
  readonly rows: readonly { readonly id: string; readonly json: string }[];
  /** Whether there were more candidates than rows wanted. */
  readonly more: boolean;
}

/** The candidates each ranker hands to fusion. */
const KEPT = 200;
/** Where this many rows have all the words, rows that have some of them or are spelt alike are not looked for. */
const ENOUGH = 20;

/**
 * Finds what may answer a search, best first: rows with all the words and, where those are few, rows with some of them and
 * titles that are spelt like a word nobody uses. With a vector, rows of near meaning are a second ranking, and the two are fused.
 * Every ranking is bounded, and equal ranks are ordered by id.
 *
 * The query's text is a parameter of each statement, never part of one. Only visible rows are ranked, and up to 20,000 of
 * them, only they decide what is looked for next: an answer tells nothing of others. Where more are, which of
 * several words are looked for singly goes by how common they are among all rows there are. And how long it takes depends on visible
 * rows alone only where these are few (docs/adr/0009).
 */
export async function findCandidates(read: ReadStore, query: SearchQuery): Promise<readonly Candidate[]> {
  const { text: words, resources, visibility, vector } = query;
  const searched = await searchedBy(read, resources, visibility);
  const { spaces, areLookedAt } = searched;
  const find = (sql: string, ...parameters: readonly unknown[]) =>
    read.query<Candidate>(
      `${PLANNED_ANEW}select resource, id::text, score::float8 from (${sql}) ranked
       order by score desc, id desc, resource limit ${KEPT}`,
      [spaces, ...parameters],
    );

  const single = hasOperators(words) ? [] : wordsOf(words);
  const asked = areLookedAt ? [] : [await narrowed(read, resources, single.length === 0 ? "" : words)];
  const all = await find(allWords(resources, areLookedAt), words, ...asked);
  const some =
    single.length === 0 || all.length >= ENOUGH
      ? []
      : await findBySome(read, resources, single, { ...searched, mayBeMisspelt: all.length === 0 }, find);
  const byWords = inOrder([...all, ...some], (one, other) => one + other);
  if (vector === undefined) return byWords;
  const names = resources.map(({ name }) => name);
  const { model, embedding } = vector;
  const near = await find(nearest(embedding.length), names, model, `[${embedding.join(",")}]`);
  const scores = new Map(byWords.map((one) => [keyOf(one), one.score]));
  return fuse([byWords, near])
    .slice(0, KEPT)
    .map((one) => ({ ...one, score: scores.get(keyOf(one)) ?? 0 }));
}

/** Rows that have some of the words, or in their title a word that is spelt like one that no visible row has. */
async function findBySome(
  read: ReadStore,
  resources: readonly SearchableResource[],
  words: readonly string[],
  // A row that has all the words has each.
  { spaces, areLookedAt, mayBeMisspelt }: Searched & { readonly mayBeMisspelt: boolean },
  find: (sql: string, ...parameters: readonly unknown[]) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  const few = areLookedAt || (await areFewVisible(read, resources, spaces));
  const rare = few ? { words, uncommon: words, areCommon: false } : await rareWords(read, resources, words);
  const byAny = await find(anyWord(resources, { ...rare, areLookedAt }), eitherOf(rare.words), rare.words);
  const titled = resources.filter(({ search }) => search.trigrams);
  if (titled.length === 0 || !mayBeMisspelt) return byAny;
  const unused = await read.query<{ word: string }>(`${PLANNED_ANEW}${unusedWords(resources, areLookedAt)}`, [
    spaces,
    rare.uncommon,
  ]);
  const unknown = unused.map(({ word }) => word);
  const misspelt = unknown.slice(0, MOST_MISSPELT);
  const meant = await findMeantWords(read, titled, misspelt, spaces);
  if (meant.length === 0) return byAny;
  const byMeant = await find(
    meantWords(titled, areLookedAt),
    eachOf(words.filter((word) => !unknown.includes(word))),
    rare.words,
    anyOf(meant),
    inTitles(few ? meant : await rareOf(read, titled, meant)),
    meant.map((one) => inTitles([one])),
    meant.map(({ likeness }) => likeness),
    meant.map((one) => one.misspelt),
  );
  return inOrder([...byAny, ...byMeant], Math.max);
}

/** Each row once, best first, its score made of all it has. */
function inOrder(
  candidates: readonly Candidate[],
  together: (one: number, other: number) => number,
): readonly Candidate[] {
  const known = new Map<string, Candidate>();
  for (const one of candidates) {
    const before = known.get(keyOf(one));
    known.set(keyOf(one), before === undefined ? one : { ...one, score: together(before.score, one.score) });
  }
  const before = (one: Candidate, other: Candidate): number =>
    other.score - one.score ||
    (one.id === other.id ? (one.resource < other.resource ? -1 : 1) : one.id > other.id ? -1 : 1);
  return [...known.values()].toSorted(before).slice(0, KEPT);
}

function keyOf({ resource, id }: Candidate): string {
  return `${resource} ${id}`;
}

/** $1 to $3 whose rows, $4 the ids, $5 the words. */
function foundStatement(definition: SearchableResource, audience: Audience): string {
  const { name, from, search } = definition;
  return `select r.id::text, json_build_object('resource', '${name}', 'row', ${projection(definition, "list", audience)},
      'snippet', ${snippetOf(search, "$5::text[]")})::text as json
    from ${from.table} r where r.id = any($4::uuid[]) and r.${from.space} in (${visibleSpaces})`;
}

/**
 * Reads the best candidates as rows, in their order. Visibility is judged anew by the statement that reads: a candidate
 * that is gone, or was never to be seen, is left out.
 */
export async function readFound(
  read: ReadStore,
  query: Pick<SearchQuery, "text" | "resources" | "visibility">,
  candidates: readonly Candidate[],
  limit: number,
  audience: Audience,
): Promise<FoundRows> {
  const wanted = candidates.slice(0, limit);
  const words = wordsOf(query.text);
  const jsonOf = new Map<string, string>();
  for (const definition of query.resources) {
    const ids = wanted.filter(({ resource }) => resource === definition.name).map(({ id }) => id);
    if (ids.length === 0) continue;
    const parameters = [...visibilityParameters(query.visibility), ids, words];
    const rows = await read.query<{ id: string; json: string }>(foundStatement(definition, audience), parameters);
    for (const { id, json } of rows) jsonOf.set(`${definition.name} ${id}`, json);
  }
  const rows = wanted.flatMap((candidate) => {
    const json = jsonOf.get(keyOf(candidate));
    if (json === undefined) return [];
    const score = Math.round(candidate.score * 10_000) / 10_000;
    return [{ id: candidate.id, json: `${json.slice(0, -1)},"score":${score}}` }];
  });
  return { rows, more: candidates.length > limit };
}
