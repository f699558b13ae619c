import type { Positions } from "@mosaicstack/federation-protocol";
import { isId } from "@mosaicstack/foundation";
import { gatewayProblem } from "../problems.ts";

/** More than any list needs: over 50 peers with the longest names, and some that were removed meanwhile. */
const MAX_LENGTH = 12_288;
/** `local`, or what federation-protocol's `peerPlace` makes of a peer. */
const PLACE = /^(?:local|federated:[a-z0-9-]{1,63}#([0-9a-f-]{36}))$/;

/** A list's position in each of its sources, as one opaque word: base64url of JSON. */
export function encodeCursor(positions: Positions): string {
  return Buffer.from(JSON.stringify(positions)).toString("base64url");
}

function isPlace(place: string): boolean {
  const [isOne, peerId] = PLACE.exec(place) ?? [];
  return isOne !== undefined && (peerId === undefined || isId(peerId));
}

function isPositions(value: unknown): value is Positions {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const entries: [string, unknown][] = Object.entries(value);
  return (
    entries.length > 0 &&
    entries.every(([place, id]) => isPlace(place) && (id === null || (typeof id === "string" && isId(id))))
  );
}

/**
 * Reads a cursor. It only says where to go on, so a forged one shows nothing that a list would not.
 * @throws Problem `cursor_invalid` for anything but what `encodeCursor` writes
 */
export function decodeCursor(cursor: string): Positions {
  if (cursor.length > MAX_LENGTH) throw gatewayProblem("cursor_invalid");
  let positions: unknown;
  try {
    positions = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch (cause) {
    throw gatewayProblem("cursor_invalid", { cause });
  }
  if (!isPositions(positions) || encodeCursor(positions) !== cursor) throw gatewayProblem("cursor_invalid");
  return positions;
}
