import type { Clock } from "@mosaicstack/foundation";
import type { Coordination, CoordinationState, OnFault } from "./coordination.ts";
import type { ValkeyAddress } from "./valkey/address.ts";
import type { ValkeyFindings } from "./valkey/probe.ts";

export interface ValkeyOptions {
  readonly address: ValkeyAddress;
  readonly clock: Clock;
  readonly onFault: OnFault;
  /** Hears once when Valkey is lost, and once when it's back. */
  readonly onState: (state: CoordinationState) => void;
  /** Keeps gateways apart that share a database of one Valkey. Default: none; they have a database number each. */
  readonly instance?: string;
  /** How long a run stays its replica's after the replica was killed. Default: 30 s. */
  readonly lockMs?: number;
  /** How long what a limit counts as under way is kept after its replica was killed. Default: 60 s. */
  readonly leaseMs?: number;
}

/**
 * Coordination through Valkey or Redis, with BullMQ: loads both libraries, which a tier without Valkey never needs.
 *
 * Keys begin with `{mosaic}:` in the database of the address, channels with `{mosaic}:<database>:`.
 *
 * @throws Problem `valkey_unreachable` within 5 s where it can't be had now, `valkey_unusable` where it's too old.
 * Later on it throws nothing: it degrades, and comes back by itself.
 */
export async function connectValkey(options: ValkeyOptions): Promise<Coordination> {
  const { openValkey } = await import("./valkey/open-valkey.ts");
  return openValkey(options);
}

/**
 * Asks Valkey what it is, and writes nothing.
 *
 * @param timeoutMs for all of it; an import of the library apart.
 * @throws Problem `valkey_unreachable` or `valkey_unusable`, with `service`, `host`, `port` and `cause`.
 */
export async function probeValkey(
  address: ValkeyAddress,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<ValkeyFindings> {
  const { askValkey } = await import("./valkey/probe.ts");
  return askValkey(address, timeoutMs);
}
