import type { ReadStore } from "@mosaicstack/storage";
import type { SearchableResource } from "./definition.ts";
import { type Visibility, visibilityParameters, visibleSpaces } from "./reads.ts";

/**
 * Up to so many rows, and bytes of what they are searched by, as they are stored, each visible row is looked at. That takes no longer
 * than the index of words, whose time tells how many rows of others have a word.
 */
const LOOKED_AT = 200;
const LOOKED_AT_BYTES = 512 * 1024;

/** What a search looks through. */
export interface Searched {
  readonly spaces: readonly string[];
  /** Whether so little is visible that each row is looked at. */
  readonly areLookedAt: boolean;
}

/** By the index of each space, and no further than it matters. */
function statement(resources: readonly SearchableResource[]): string {
  const each = resources.map(
    ({ from }) => `(select r.bytes from spaces cross join lateral (
      select pg_column_size(r.search_document) as bytes from ${from.table} r
      where r.${from.space} = spaces.id order by r.id desc limit ${LOOKED_AT + 1}) r)`,
  );
  return `with spaces as (${visibleSpaces})
    select array(select id::text from spaces) as spaces,
      count(*) <= ${LOOKED_AT} and coalesce(sum(bytes), 0) <= ${LOOKED_AT_BYTES} as "areLookedAt"
    from (${each.join(" union all ")} limit ${LOOKED_AT + 1}) counted`;
}

/** Which spaces are visible, and whether there is little in them. */
export async function searchedBy(
  read: ReadStore,
  resources: readonly SearchableResource[],
  visibility: Visibility,
): Promise<Searched> {
  const [searched] = await read.query<Searched>(statement(resources), visibilityParameters(visibility));
  if (searched === undefined) throw new Error("the statement answers with exactly one row");
  return searched;
}
