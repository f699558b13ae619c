import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { connectValkey, type RateLimit, type ValkeyAddress } from "@mosaicstack/coordination";
import { systemClock } from "@mosaicstack/foundation";

/** A replica in a process of its own, that takes as many as may be under way and releases none: to be killed. */
interface Given {
  readonly address: ValkeyAddress;
  readonly instance: string;
  readonly leaseMs: number;
  readonly key: string;
  readonly limit: RateLimit & { readonly concurrent: number };
}

const { key, limit, ...options } = JSON.parse(await text(process.stdin)) as Given;
const { limits } = await connectValkey({
  ...options,
  clock: systemClock,
  onFault: () => undefined,
  onState: () => undefined,
});
for (let index = 0; index < limit.concurrent; index += 1) await limits.take(key, limit);
process.stdout.write("taken\n");
await wait(600_000);
