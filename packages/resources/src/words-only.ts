import type { ReadStore } from "@mosaicstack/storage";
import type { SearchableResource } from "./definition.ts";
import { visibilityParameters, visibleSpaces } from "./reads.ts";
import type { SearchQuery } from "./search.ts";

/** Whether an embedding model has any part in a search of these: what else is searched is never handed to one. */
export function isSearchedByMeaning(resources: readonly SearchableResource[]): boolean {
  return resources.some(({ search }) => search.embeds);
}

/**
 * Whether a search that was to go by meaning too went by words alone: the model gave the query no vector, or none of the
 * rows that could be found has one yet. Only for a gateway that has a model; without one nothing was to go by meaning.
 *
 * Only rows that are visible count, so that the answer tells nothing of others.
 */
export async function wentByWordsOnly(
  read: ReadStore,
  { resources, visibility, vector }: Omit<SearchQuery, "text">,
): Promise<boolean> {
  const embedded = resources.filter(({ search }) => search.embeds);
  if (embedded.length === 0) return false;
  if (vector === undefined) return true;
  const rows = embedded.map(
    ({ from }) => `exists (select from ${from.table} r where r.${from.space} in (${visibleSpaces}))`,
  );
  const [found] = await read.query<{ bare: boolean }>(
    `select not exists (
       select from embeddings e where e.space_id in (${visibleSpaces})
         and e.resource = any($4::text[]) and e.model = $5::text
         and vector_dims(e.embedding) = $6::int
     ) and (${rows.join(" or ")}) as bare`,
    [...visibilityParameters(visibility), embedded.map(({ name }) => name), vector.model, vector.embedding.length],
  );
  return found?.bare === true;
}
