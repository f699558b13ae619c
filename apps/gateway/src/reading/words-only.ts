import type { SourceReport, SourceWarning, WordsOnlyCode } from "@mosaicstack/federation-protocol";

const WORDS_ONLY: WordsOnlyCode = "search_words_only";

/** What is said of this gateway where it searched by words alone, and searches by meaning too. */
export const searchedByWordsOnly: SourceWarning = {
  code: WORDS_ONLY,
  detail: "It searched by words alone: the embedding endpoint gave no vector in time, or the rows have none yet.",
  remedy:
    "Search for other words that mean the same. An administrator sees to the endpoint in EMBEDDINGS_URL; the log says what is wrong.",
};

/** The warning of a source that searched by words alone where it searches by meaning too. */
export function wordsOnlyOf({ warning }: SourceReport): SourceWarning | undefined {
  return warning?.code === WORDS_ONLY ? warning : undefined;
}
