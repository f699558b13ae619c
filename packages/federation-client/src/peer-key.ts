import type { Binding } from "@mosaicstack/storage";

/** A peer's keys: the one in use, the one asked for next, the one before (trust decision 6). */
export type KeySlot = "active" | "next" | "previous";

const columns: Readonly<Record<KeySlot, string>> = {
  active: "sealed_key",
  next: "sealed_next_key",
  previous: "sealed_previous_key",
};

/** Where a peer's client key is sealed to: it opens in this row of this column only, and is sealed anew when it moves. */
export function keyBinding(peerId: string, slot: KeySlot = "active"): Binding {
  return { table: "federation_peers", column: columns[slot], rowId: peerId };
}
