import { aimsOf } from "./aims.ts";
import { type BootFigures, measureBoots } from "./boot.ts";
import { versionOf } from "./databases.ts";
import { figuresOf, type LoadFigures, type Pair } from "./figures.ts";
import { launchedFrom } from "./gateway.ts";
import { askOnce, runRound } from "./load.ts";
import { measureMigration } from "./migration.ts";
import type { BenchOptions } from "./options.ts";
import { FLOOR, type Report } from "./report.ts";
import { say } from "./say.ts";
import { LIMIT, setStage, type Stage } from "./stage.ts";

/** Floor and candidate in turn, so that whatever else the machine does meets both. */
async function measureRounds({ floor, candidates }: Stage, options: BenchOptions): Promise<LoadFigures[]> {
  const figures: LoadFigures[] = [];
  for (const connections of options.connections) {
    const pairs = new Map<string, Pair[]>(candidates.map(({ name }) => [name, []]));
    for (let round = 1; round <= options.rounds; round += 1) {
      say(`connections: ${connections}, round ${round} of ${options.rounds}`);
      for (const { name, target } of candidates) {
        const ofFloor = await runRound(floor, connections, options.roundMs);
        const candidate = await runRound(target, connections, options.roundMs);
        pairs.get(name)?.push({ floor: ofFloor, candidate });
      }
    }
    const floors = [...pairs.values()].flat().map((pair) => ({ floor: pair.floor, candidate: pair.floor }));
    figures.push(figuresOf(FLOOR, connections, floors));
    for (const [name, measured] of pairs) figures.push(figuresOf(name, connections, measured));
  }
  return figures;
}

function residentOf({ processes }: Stage): (number | null)[] {
  const { floor, work, home } = processes;
  return [floor, work, home].map((running) => {
    const bytes = running.residentBytes();
    return Number.isNaN(bytes) ? null : bytes;
  });
}

/** Lists against the floor, boots, memory and migrate-tier. */
export async function measureLoad(folder: string, options: BenchOptions): Promise<Report> {
  const { boots: times, databaseUrl, rounds, roundMs } = options;
  const engine = databaseUrl === undefined ? "PGlite" : await versionOf(databaseUrl);
  const boots: BootFigures[] = [];
  // On PostgreSQL it is the embedded tiers' figure still, and the other run has it.
  for (const tier of databaseUrl === undefined ? (["local", "federated"] as const) : []) {
    say(`boots: ${tier}`);
    boots.push(await measureBoots(folder, tier, times));
  }
  if (databaseUrl !== undefined) say(`migrate-tier: ${options.migratedTasks} tasks`);
  const migration =
    databaseUrl === undefined ? undefined : await measureMigration(folder, databaseUrl, options.migratedTasks, rounds);
  say(`seeding ${options.tasks} tasks and ${options.notes} notes`);
  const stage = await setStage(folder, options);
  try {
    const bytesPerList = Buffer.byteLength(await askOnce(stage.floor));
    const idle = residentOf(stage);
    const load = await measureRounds(stage, options);
    const afterLoad = residentOf(stage);
    const names = ["floor", "serving gateway (work)", "querying gateway (home)"];
    return {
      node: process.version,
      engine,
      launchedFrom: databaseUrl === undefined ? launchedFrom() : "the sources, through tsx",
      rounds,
      roundMs,
      rowsPerList: LIMIT,
      bytesPerList,
      load,
      boots,
      memory: names.map((name, index) => ({
        process: name,
        idle: idle[index] ?? null,
        afterLoad: afterLoad[index] ?? null,
      })),
      ...(migration === undefined ? {} : { migration }),
      aims: aimsOf(load, boots, migration),
    };
  } finally {
    await stage.stop();
  }
}
