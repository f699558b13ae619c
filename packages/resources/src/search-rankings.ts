import type { SearchableResource } from "./definition.ts";

/**
 * Rows of a resource that are ranked at most, the newest of those that match: of those that have all the words, and of those
 * that have any. Of the latter there are thousands at most, since common words are not looked for singly where rows are many.
 */
const RANKED = 200;
const RANKED_BY_ANY = 1_000;
/** Titles of a resource that are ranked by likeness at most. */
const ALIKE = 400;

/** Rows of near meaning: every row has some distance, so those further down are near in name only. */
const NEAR = 50;

/** A title says what a row is about; a text says much in passing, and often. Of the classes D, C, B (text) and A (title). */
const WEIGHTS = "'{0, 0, 0.15, 1}'";

/**
 * Each ranking is a SELECT of `resource`, `id` and `score`: how well the row matches, from 0 to 1, and above 1 where it has
 * all that is asked for. It follows from the row and the query alone, and so is on the same scale in every gateway. $1 is
 * the spaces that are visible.
 */
type Ranking = string;

function eachOf(resources: readonly SearchableResource[], part: (resource: SearchableResource) => string): string {
  return resources.map((resource) => `(${part(resource)})`).join(" union all ");
}

function newestMatching({ from }: SearchableResource, columns: string, most: number): string {
  return `select ${columns} from ${from.table} r
    where r.${from.space} = any($1::uuid[]) and r.search_document @@ websearch_to_tsquery('english', $2::text)
    order by r.id desc limit ${most}`;
}

/** Rows that have all that is asked for. $2 the query. */
export function allWords(resources: readonly SearchableResource[]): Ranking {
  return eachOf(resources, (resource) => {
    const rank = `ts_rank(${WEIGHTS}, r.search_document, websearch_to_tsquery('english', $2::text))`;
    return `select '${resource.name}' as resource, id, 1 + ${rank} as score
      from (${newestMatching(resource, "r.*", RANKED)}) r`;
  });
}

/** Rows that have any of the words, by how much of the query they have. $2 the words joined by `or`, $3 each by itself. */
export function anyWord(resources: readonly SearchableResource[]): Ranking {
  // Concatenation takes a long document out of its compressed form once, and not once a word.
  const document = "r.id, r.search_document || ''::tsvector as document";
  const candidates = eachOf(
    resources,
    (resource) =>
      `select '${resource.name}' as resource, id, document from (${newestMatching(resource, document, RANKED_BY_ANY)} offset 0) r`,
  );
  return `
    with words as materialized (
      select websearch_to_tsquery('english', '"' || word || '"') as query from unnest($3::text[]) as word
    )
    select resource, id, sum(ts_rank(${WEIGHTS}, document, query)) / cardinality($3::text[]) as score
    from (${candidates} offset 0) candidates cross join words where document @@ query group by resource, id`;
}

/** Which of the words in $2 no visible row has: what they were meant to be is looked for by spelling. At most two. */
export function unusedWords(resources: readonly SearchableResource[]): string {
  const used = resources
    .map(
      ({ from }) => `exists (select from ${from.table} r
        where r.search_document @@ websearch_to_tsquery('english', '"' || word || '"') and r.${from.space} = any($1::uuid[]))`,
    )
    .join(" or ");
  return `select word from unnest($2::text[]) with ordinality as words (word, place)
    where length(word) > 2 and numnode(websearch_to_tsquery('english', '"' || word || '"')) > 0 and not (${used})
    order by place limit 2`;
}

/**
 * Rows whose title has a word that is spelt like one of two, $2 and $3, best those that have both. Of very many it is some
 * hundreds that are ranked, those stored first: which are the newest or the best is not known before all are fetched.
 */
export function similarTitles(resources: readonly SearchableResource[]): Ranking {
  return eachOf(resources, ({ name, from, search }) => {
    const title = `r.${search.title}`;
    const rank = ["$2", "$3"].map(
      (word) => `word_similarity(${word}::text, title) + strict_word_similarity(${word}::text, title)`,
    );
    return `select '${name}' as resource, id, (${rank.join(" + ")}) / 4 as score
      from (
        select r.id, ${title} as title from ${from.table} r
        where r.${from.space} = any($1::uuid[]) and ($2::text <% ${title} or $3::text <% ${title}) limit ${ALIKE}
      ) r`;
  });
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
