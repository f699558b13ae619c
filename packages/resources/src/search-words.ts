/** The most words that are looked for singly: those after them change a ranking little. */
export const MOST_WORDS = 16;

/** The words of a query, without operators, in lower case, as they are looked for singly. */
export function wordsOf(query: string): string[] {
  const words = query.toLowerCase().match(/[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu) ?? [];
  return [...new Set(words)].slice(0, MOST_WORDS);
}

/** Whoever writes operators means them: what they leave out is not brought back by looking for less. */
export function hasOperators(query: string): boolean {
  return /"|(?:^|\s)-\S|(?:^|\s)or(?:\s|$)/i.test(query);
}

/** A query in PostgreSQL's web search syntax for rows with any of these words. */
export function eitherOf(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(" or ");
}

/** The same for rows with all of them. */
export function eachOf(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(" ");
}
