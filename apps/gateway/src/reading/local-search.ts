import {
  findCandidates,
  type FoundRows,
  isSearchedByMeaning,
  type QueryVector,
  readFound,
  resourceNamed,
  resourceProblem,
  type SearchableResource,
  searchable,
  type Visibility,
  wentByWordsOnly,
} from "@mosaicstack/resources";
import type { ReadStore } from "@mosaicstack/storage";

/** What an embedding model makes of a query; undefined where none answers in time: the words alone are searched then. */
export type EmbedQuery = (text: string) => Promise<QueryVector | undefined>;

/** @throws Problem `unknown_resource`, `invalid_input` for one that is not searched */
function searchableNamed(name: string): SearchableResource {
  const definition = searchable.find((one) => one.name === name);
  if (definition !== undefined) return definition;
  resourceNamed(name);
  const names = searchable.map((one) => one.name).join(", ");
  throw resourceProblem("invalid_input", {
    detail: `resource: ${name} is not searched; ${names} are.`,
    extensions: { path: "resource" },
  });
}

/** What was found, and whether by words alone where it should have been by meaning too. */
export interface SearchedRows extends FoundRows {
  readonly wordsOnly: boolean;
}

/** Searches this gateway's own rows. @throws Problem `unknown_resource`, `invalid_input` */
export async function searchRows(
  store: ReadStore,
  asked: { readonly text: string; readonly resources: readonly string[] | undefined; readonly visibility: Visibility },
  limit: number,
  embedQuery: EmbedQuery | undefined,
): Promise<SearchedRows> {
  const { text, resources: names, visibility } = asked;
  const resources = names === undefined ? searchable : [...new Set(names)].map(searchableNamed);
  const vector = isSearchedByMeaning(resources) ? await embedQuery?.(text) : undefined;
  const query = { text, resources, visibility, vector };
  const found = await readFound(store, query, await findCandidates(store, query), limit, "native");
  return { ...found, wordsOnly: embedQuery !== undefined && (await wentByWordsOnly(store, query)) };
}
