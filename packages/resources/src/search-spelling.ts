import { PLANNED_ANEW, type ReadStore } from "@mosaicstack/storage";
import type { SearchableResource } from "./definition.ts";
import { editDistance } from "./edit-distance.ts";
import { rareWords } from "./word-frequency.ts";

/** Of so many words of a query, at most, it is looked for what was meant. */
export const MOST_MISSPELT = 2;
/** Words that one may have been meant to be, at most: the most alike, and of equals the first by the alphabet. */
const MOST_MEANT = 8;
/** Which share of a word's trigrams are in one that is looked at. Two letters that change places leave two of five letters' six. */
const SHARED = 0.3;
/** Words that are looked at, at most: those with most trigrams in common. */
const LOOKED_AT = 200;
/** How alike words have to be. */
const ALIKE = 0.5;
/** Of so many letters one may be wrong, and one in a shorter word. */
const LETTERS_A_FAULT = 3;

/** A word, in a title that is visible, that may have been meant by one that no visible row has. */
export interface MeantWord {
  /** As the query has it. */
  readonly misspelt: string;
  /** One of the forms that titles have of it. */
  readonly word: string;
  /** What full text looks for: a tsquery. Forms with the same stem are one. */
  readonly query: string;
  /** How alike they are: from 0.5 to 1. */
  readonly likeness: number;
}

/**
 * $1 the spaces, $2 the resources, $3 the misspelt word. Of its trigrams so many are looked for that a word with the share of all has one
 * of them, too. Those that begin or end a word are left out first, being the commonest.
 */
const SHARING_TRIGRAMS = `${PLANNED_ANEW}
  select word, likeness::float8, query from (
    select distinct on (word) word, (word_similarity($3::text, word) + strict_word_similarity($3::text, word)) / 2 as likeness
    from search_words
    where search_word_keys(resource, space_id, word) && array(
        select search_word_key(name, space, trigram) from unnest($1::uuid[]) as space, unnest($2::text[]) as name, (
          select trigram from unnest(show_trgm($3::text)) as trigram order by trigram desc
          limit floor(cardinality(show_trgm($3::text)) * ${1 - SHARED})::int + 1
        ) as looked_for)
      -- Each key is of a space and a resource already. This way no index of those is taken, with all of a space's words.
      and array_position($1::uuid[], space_id) is not null and array_position($2::text[], resource) is not null
      and word_similarity($3::text, word) >= ${SHARED}
  ) as sharing cross join lateral (
    select websearch_to_tsquery('english', '"' || word || '"')::text as query
  ) as asked
  where query <> '' order by likeness desc, word limit ${LOOKED_AT}`;

/**
 * What was meant by words that no visible row has, by the words of visible titles alone: what others write of has no part in it.
 *
 * @param resources those whose titles' words are kept
 */
export async function findMeantWords(
  read: ReadStore,
  resources: readonly SearchableResource[],
  misspelt: readonly string[],
  spaces: readonly string[],
): Promise<readonly MeantWord[]> {
  const tables = resources.map(({ from }) => from.table);
  const found: MeantWord[] = [];
  for (const word of misspelt) {
    const sharing = await read.query<Omit<MeantWord, "misspelt">>(SHARING_TRIGRAMS, [spaces, tables, word]);
    found.push(...mostAlike(word, sharing));
  }
  return found;
}

/** Trigrams know a word by its beginning, and letters that are wrong a short one. */
function mostAlike(misspelt: string, sharing: readonly Omit<MeantWord, "misspelt">[]): readonly MeantWord[] {
  const best = new Map<string, MeantWord>();
  for (const { word, query, likeness: byTrigrams } of sharing) {
    const wrong = editDistance(misspelt, word);
    const isNear = wrong <= Math.max(1, Math.floor(misspelt.length / LETTERS_A_FAULT));
    const byLetters = isNear ? 1 - wrong / Math.max(misspelt.length, word.length) : 0;
    const likeness = Math.max(byTrigrams, byLetters);
    const known = best.get(query);
    if (likeness >= ALIKE && (known === undefined || likeness > known.likeness))
      best.set(query, { misspelt, word, query, likeness });
  }
  return [...best.values()]
    .toSorted((one, other) => other.likeness - one.likeness || (one.word < other.word ? -1 : 1))
    .slice(0, MOST_MEANT);
}

/** Of these words those that tell rows apart; perhaps none. */
export async function rareOf(
  read: ReadStore,
  resources: readonly SearchableResource[],
  meant: readonly MeantWord[],
): Promise<readonly MeantWord[]> {
  const rare = await rareWords(read, resources, [...new Set(meant.map(({ word }) => word))]);
  const some = rare.areCommon ? rare.uncommon.slice(0, 1) : rare.words;
  return meant.filter(({ word }) => some.includes(word));
}

/** A tsquery for rows with any of these words; with none of them it finds nothing. */
export function anyOf(words: readonly MeantWord[]): string {
  return words.map(({ query }) => `(${query})`).join(" | ");
}

/** The same for rows whose title has one. */
export function inTitles(words: readonly MeantWord[]): string {
  // Lexemes are in quotes, and a quote in one is doubled.
  return anyOf(words).replaceAll(/'(?:[^']|'')*'/gu, "$&:A");
}
