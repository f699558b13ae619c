import type { Json, RestClient } from "./rest-client.ts";

/** A list read to its end. */
export interface WholeList {
  /** In the order they came. */
  readonly rows: readonly Json[];
  /** The answers as they came, one a page. */
  readonly pages: readonly Json[];
}

const MAX_PAGES = 1_000;

/**
 * Follows a list's cursor to its end.
 * @param query of the first page, as `source=all&limit=50`
 */
export async function listEverything(api: RestClient, resource: string, query: string): Promise<WholeList> {
  const pages: Json[] = [];
  let cursor: string | null = null;
  do {
    const from: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: Json = await api.json("GET", `/api/v1/${resource}?${query}${from}`);
    pages.push(page);
    cursor = page.next_cursor as string | null;
  } while (cursor !== null && pages.length < MAX_PAGES);
  if (cursor !== null) throw new Error(`${resource} has no end after ${MAX_PAGES} pages`);
  return { rows: pages.flatMap((page) => page.rows as Json[]), pages };
}
