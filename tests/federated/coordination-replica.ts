import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { connectValkey, type ValkeyAddress } from "@mosaicstack/coordination";
import { systemClock } from "@mosaicstack/foundation";

/**
 * A replica in a process of its own, that takes the job `long` and doesn't end it: to be killed in the middle. Or, where
 * `brief`, ends it at once. Closes on SIGTERM.
 */
interface Given {
  readonly address: ValkeyAddress;
  readonly instance: string;
  readonly lockMs: number;
  readonly brief?: boolean;
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const { brief = false, ...options } = JSON.parse(await text(process.stdin)) as Given;
const coordination = await connectValkey({
  ...options,
  clock: systemClock,
  onFault: (name, error) => say(`fault ${name} ${String(error)}`),
  onState: ({ status }) => say(status),
});
process.once("SIGTERM", () => void coordination.close());
await coordination.schedule({
  name: "long",
  everyMs: 60_000,
  work: async () => {
    say("running");
    if (!brief) await wait(600_000);
  },
});
say("scheduled");
