import { join } from "node:path";
import { median } from "./figures.ts";
import { type HomeTier, makeHome, startGateway } from "./gateway.ts";

/** Starts of one kind of gateway, medians. */
export interface BootFigures {
  readonly name: string;
  readonly boots: number;
  /** From nothing: the database is made. */
  readonly coldMs: number;
  /** With the data directory of an earlier start. */
  readonly warmMs: number;
  /** Resident memory of one that has answered nothing yet, in bytes. */
  readonly idleBytes: number;
}

/** From the making of the process until it says that it serves. */
export async function measureBoots(folder: string, tier: HomeTier, boots: number): Promise<BootFigures> {
  const coldMs: number[] = [];
  const warmMs: number[] = [];
  const idleBytes: number[] = [];
  for (let boot = 0; boot < boots; boot += 1) {
    const home = await makeHome(join(folder, `${tier}-${boot}`), tier);
    for (const times of [coldMs, warmMs]) {
      const gateway = await startGateway(home);
      times.push(gateway.bootMs);
      if (times === warmMs) idleBytes.push(gateway.residentBytes());
      await gateway.stop();
    }
  }
  return {
    name: tier,
    boots,
    coldMs: median(coldMs),
    warmMs: median(warmMs),
    idleBytes: median(idleBytes),
  };
}
