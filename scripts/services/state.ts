import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identify, isAlive, type ProcessIdentity } from "./process-tree.ts";
import type { RunningService } from "./service.ts";

/** In the repository, and not part of it. */
const DIRECTORY = join(import.meta.dirname, "../../.services");
const STATE = join(DIRECTORY, "running.json");
const LOCK = join(DIRECTORY, "lock.json");
/** As long as the slowest first start takes: it compiles step-ca. */
const LOCK_TIMEOUT_MS = 20 * 60_000;

/** Where software is kept between runs. */
export const SOFTWARE_CACHE: string = join(DIRECTORY, "software");

/** What earlier commands started and none stopped. It may have ended by itself. */
export function readState(): readonly RunningService[] {
  try {
    return JSON.parse(readFileSync(STATE, "utf8")) as RunningService[];
  } catch {
    return [];
  }
}

/** Only within {@link alone}. */
export async function writeState(running: readonly RunningService[]): Promise<void> {
  await mkdir(DIRECTORY, { recursive: true });
  if (running.length === 0) await rm(STATE, { force: true });
  else await writeFile(STATE, `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 });
}

/** Runs `change` while no other command changes what runs: two at once would each start, and one lose, a service. */
export async function alone<Result>(report: (line: string) => void, change: () => Promise<Result>): Promise<Result> {
  await mkdir(DIRECTORY, { recursive: true });
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  const own = JSON.stringify(identify(process.pid));
  for (let told = false; ; told = true) {
    try {
      await writeFile(LOCK, own, { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await lockHolder();
    if (holder === undefined) {
      await rm(LOCK, { force: true });
      continue;
    }
    if (Date.now() > deadline) throw new Error(`process ${holder.pid} has been changing the services for 20 minutes`);
    if (!told) report(`Waiting for process ${holder.pid}, which is changing the services`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  try {
    return await change();
  } finally {
    await rm(LOCK, { force: true });
  }
}

async function lockHolder(): Promise<ProcessIdentity | undefined> {
  // A moment after it's made, it may still be empty.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      const holder = JSON.parse(await readFile(LOCK, "utf8")) as ProcessIdentity;
      return isAlive(holder) ? holder : undefined;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return undefined;
}
