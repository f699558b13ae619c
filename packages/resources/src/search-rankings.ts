import type { SearchableResource } from "./definition.ts";

/**
 * Rows of a resource that are ranked at most, the newest of those that match: of those that have all the words, and of those
 * that have any. Of the latter there are thousands at most, since common words are not looked for singly where rows are many.
 */
const RANKED = 200;
const RANKED_BY_ANY = 1_000;
/** Of those that have a word, where each of the words is common: an index gives those sooner that are asked for fewer. */
const RANKED_BY_COMMON = 50;
/** Of those that have a word that may have been meant, and of those that have all other words as well. */
const RANKED_BY_MEANT = 400;

/** Rows of near meaning: every row has some distance, so those further down are near in name only. */
const NEAR = 50;

/** A title says what a row is about; a text says much in passing, and often. Of the classes D, C, B (text) and A (title). */
const WEIGHTS = "'{0, 0, 0.15, 1}'";
/** What ts_rank gives for one word that is in a title once: 6 / pi^2. A word that was meant counts as that, the less alike the less. */
const RANK_OF_ONE = 0.6079;

/**
 * Each ranking is a SELECT of `resource`, `id` and `score`: how well the row matches, from 0 to 1, and above 1 where it has
 * all that is asked for. It follows from the row and the query alone, and so is on the same scale in every gateway. $1 is
 * the spaces that are visible.
 */
type Ranking = string;

function eachOf(resources: readonly SearchableResource[], part: (resource: SearchableResource) => string): string {
  return resources.map((resource) => `(${part(resource)})`).join(" union all ");
}

/**
 * The visible rows that match, as `r`: by the index of words, or where few are visible, by looking at each. Then it takes as long
 * as those take, whatever others write of: the function is the operator's, and no index serves it.
 *
 * @param query the SQL of a tsquery
 */
function matching({ from }: SearchableResource, areLookedAt: boolean, query: string): string {
  const visible = `${from.table} r where r.${from.space} = any($1::uuid[])`;
  return areLookedAt
    ? `(select r.id, r.search_document from ${visible} offset 0) r where ts_match_vq(r.search_document, ${query})`
    : `${visible} and r.search_document @@ ${query}`;
}

const WEB_SEARCH = "websearch_to_tsquery('english', $2::text)";

/**
 * Rows that have all that is asked for. $2 the query; $3, unless rows are looked at, what of it an index is asked for, a tsquery, or
 * null for all of it: the rest is looked at in rows.
 */
export function allWords(resources: readonly SearchableResource[], areLookedAt: boolean): Ranking {
  return eachOf(resources, (resource) => {
    const rank = `ts_rank(${WEIGHTS}, r.search_document, ${WEB_SEARCH})`;
    const all = areLookedAt
      ? matching(resource, areLookedAt, WEB_SEARCH)
      : `${matching(resource, areLookedAt, `coalesce($3::tsquery, ${WEB_SEARCH})`)}
          and ($3::tsquery is null or ts_match_vq(r.search_document, ${WEB_SEARCH}))`;
    return `select '${resource.name}' as resource, id, 1 + ${rank} as score
      from (select r.id, r.search_document from ${all} order by r.id desc limit ${RANKED}) r`;
  });
}

function newestDocuments(resource: SearchableResource, areLookedAt: boolean, most: number, query: string): string {
  // Concatenation takes a long document out of its compressed form once, and not once a word.
  return `select '${resource.name}' as resource, id, document from (
      select r.id, r.search_document || ''::tsvector as document from ${matching(resource, areLookedAt, query)}
      order by r.id desc limit ${most} offset 0
    ) r`;
}

const WORDS = `words as materialized (
  select websearch_to_tsquery('english', '"' || word || '"') as query from unnest($3::text[]) as word
)`;

/**
 * Rows that have any of the words, by how much of the query they have. $2 the words joined by `or`, $3 each by itself.
 * @param areCommon whether very many rows have them
 */
export function anyWord(
  resources: readonly SearchableResource[],
  { areCommon, areLookedAt }: { readonly areCommon: boolean; readonly areLookedAt: boolean },
): Ranking {
  const most = areCommon ? RANKED_BY_COMMON : RANKED_BY_ANY;
  return `
    with ${WORDS}
    select resource, id, sum(ts_rank(${WEIGHTS}, document, query)) / cardinality($3::text[]) as score
    from (${eachOf(resources, (resource) => newestDocuments(resource, areLookedAt, most, WEB_SEARCH))} offset 0) candidates
    cross join words where document @@ query group by resource, id`;
}

/**
 * Rows that have what a misspelt word may have meant beside all other words, and those that have a rarer such word in their
 * title. By how much of the query they have, as with any word, and by how alike words of their titles are.
 *
 * $2 the words that are spelt right, $3 those that are looked for singly; then, as tsqueries, $4 any word that may have been meant,
 * $5 any that is looked for singly, in titles; $6 each, in titles, $7 how alike it is, $8 which word was meant by it.
 */
export function meantWords(resources: readonly SearchableResource[], areLookedAt: boolean): Ranking {
  const candidates = eachOf(
    resources,
    (resource) => `(${newestDocuments(resource, areLookedAt, RANKED, `(${WEB_SEARCH} && $4::tsquery)`)})
      union all (${newestDocuments(resource, areLookedAt, RANKED_BY_MEANT, "$5::tsquery")})`,
  );
  return `
    with ${WORDS}, meant as materialized (
      select * from unnest($6::tsquery[], $7::float8[], $8::text[]) as meant (query, likeness, misspelt)
    )
    select resource, id, max(by_words + by_likeness) as score
    from (${candidates} offset 0) candidates
    cross join lateral (
      select coalesce(sum(ts_rank(${WEIGHTS}, document, query)), 0) / cardinality($3::text[]) as by_words
      from words where document @@ query
    ) spelt_right
    cross join lateral (
      select coalesce(sum(likeness), 0) * ${RANK_OF_ONE} / cardinality($3::text[]) as by_likeness
      from (select max(likeness) as likeness from meant where document @@ query group by misspelt) best
    ) alike
    group by resource, id`;
}

/** Which of the words in $2 no visible row has: what they were meant to be is looked for by spelling. */
export function unusedWords(resources: readonly SearchableResource[], areLookedAt: boolean): string {
  // As in `newestDocuments`, once a row; there are few.
  const documents = resources.map(
    ({ from }) => `select r.search_document || ''::tsvector as document from ${from.table} r
      where r.${from.space} = any($1::uuid[])`,
  );
  const looking = areLookedAt ? `with documents as materialized (${documents.join(" union all ")})` : "";
  const used = areLookedAt
    ? "exists (select from documents where document @@ query)"
    : resources.map((resource) => `exists (select from ${matching(resource, areLookedAt, "query")})`).join(" or ");
  return `${looking} select word from (
      select word, place, websearch_to_tsquery('english', '"' || word || '"') as query
      from unnest($2::text[]) with ordinality as words (word, place) offset 0
    ) words
    where length(word) > 2 and numnode(query) > 0 and not (${used})
    order by place`;
}

/** Rows whose meaning is near. $2 the names of resources, $3 the model, $4 the query's vector. */
export function nearest(dimensions: number): Ranking {
  const vector = `vector(${dimensions})`;
  return `select resource, row_id as id, 1 - distance as score from (
      select resource, row_id, (embedding::${vector}) <=> $4::${vector} as distance from embeddings
      where space_id = any($1::uuid[]) and resource = any($2::text[]) and model = $3::text
        and vector_dims(embedding) = ${dimensions}
      order by (embedding::${vector}) <=> $4::${vector} limit ${NEAR}
    ) near`;
}
