import { isId } from "@mosaicstack/foundation";
import type { PeerBounds } from "../store.ts";

/** The role that peers' reads run as. Of the whole server: each database grants it its own columns (docs/adr/0007). */
export const PEER_READER = "mosaic_peer_reader";

const TABLE = /^[a-z_]+$/;

/**
 * The SQL that raises the second wall in the transaction it runs in, and is undone by that transaction's end: role first, so
 * that nothing runs with bounds and without the role. Tables are found in `public` alone: by default a schema of the role's own name
 * would come before it. Text without parameters, since it shares one message with BEGIN.
 *
 * Plans behind the wall don't depend on the values asked for, and are kept: planning a list anew took as long as running it.
 *
 * @throws Error, misuse, for what isn't an id or a table's name: neither can come from a peer
 */
export function boundsStatement({ subjectUserId, personal, teams, resources }: PeerBounds): string {
  const ids = teams === "all" ? [] : teams;
  if (![subjectUserId, ...ids].every(isId)) throw new Error("the bounds of a peer's read are made of ids");
  if (!resources.every((name) => TABLE.test(name))) throw new Error("the bounds of a peer's read name tables");
  const values = [
    `'${subjectUserId}'`,
    String(personal),
    String(teams === "all"),
    `'{${ids.join(",")}}'`,
    `'{${resources.join(",")}}'`,
  ];
  return `set local role ${PEER_READER}; set local search_path to public; set local plan_cache_mode = force_generic_plan; select public.set_peer_bounds(${values.join(", ")})`;
}
