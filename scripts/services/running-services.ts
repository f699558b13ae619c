import { readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { postgresql } from "./postgresql.ts";
import type { RunningService, Service } from "./service.ts";

const SERVICES: readonly Service[] = [postgresql];

/** In the repository, and not part of it. */
const DIRECTORY = join(import.meta.dirname, "../../.services");
const STATE = join(DIRECTORY, "running.json");

/** The services that run now, of those an earlier command started. */
export async function runningServices(): Promise<RunningService[]> {
  const known = readState();
  const alive = await Promise.all(
    known.map(async (running) => (await serviceOf(running)?.isRunning(running)) ?? false),
  );
  return known.filter((_, index) => alive[index] === true);
}

/**
 * Starts whatever of them doesn't run yet.
 *
 * @param given the environment: a service whose variables are all in it is somebody's own, and left alone.
 * @returns all that run, and the names of those this call started.
 */
export async function startServices(
  report: (line: string) => void,
  given: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly running: readonly RunningService[]; readonly started: readonly string[] }> {
  const running = await runningServices();
  const started: string[] = [];
  const isGiven = ({ variables }: Service): boolean => variables.every((variable) => given[variable]);
  for (const service of SERVICES) {
    if (isGiven(service) || running.some(({ name }) => name === service.name)) continue;
    running.push(await service.start(join(DIRECTORY, "software"), report));
    started.push(service.name);
    // After each: a later one's failure must not leave an earlier one running unknown.
    await writeState(running);
  }
  return { running, started };
}

/**
 * Stops what an earlier command started, and removes its data.
 *
 * @param names which. Default: all.
 */
export async function stopServices(names?: readonly string[]): Promise<readonly RunningService[]> {
  const known = readState();
  const stopping = known.filter(({ name }) => names?.includes(name) ?? true);
  for (const running of stopping) await serviceOf(running)?.stop(running);
  const left = known.filter((running) => !stopping.includes(running));
  if (left.length === 0) await rm(STATE, { force: true });
  else await writeState(left);
  return stopping;
}

function serviceOf({ name }: RunningService): Service | undefined {
  return SERVICES.find((service) => service.name === name);
}

function readState(): readonly RunningService[] {
  try {
    return JSON.parse(readFileSync(STATE, "utf8")) as RunningService[];
  } catch {
    return [];
  }
}

async function writeState(running: readonly RunningService[]): Promise<void> {
  await mkdir(DIRECTORY, { recursive: true });
  await writeFile(STATE, `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 });
}
