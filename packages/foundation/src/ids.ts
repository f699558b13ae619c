import { v7 } from "uuid";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The largest UUID: the keyset position before the newest row. */
export const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/**
 * A UUIDv7 (RFC 9562), lower case. Ids sort by creation time, which is what keeps a list stable under edits.
 *
 * @param at the row's creation time; an imported row keeps its own. Default: now, monotonic within the process.
 */
export function newId(at?: Date): string {
  return at === undefined ? v7() : v7({ msecs: Math.max(0, at.getTime()) });
}

/** Whether a text is a UUID in the one form this system writes: lower case, with hyphens. */
export function isId(text: string): boolean {
  return UUID.test(text);
}
