import type { Binding } from "@mosaicstack/storage";

/** Where a peer's client key is sealed to: it opens in this row of this column only. */
export function keyBinding(peerId: string): Binding {
  return { table: "federation_peers", column: "sealed_key", rowId: peerId };
}
