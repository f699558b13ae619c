import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { everythingOf, getRow, listRows, resourceNamed } from "@mosaicstack/resources";
import type { PeerBounds, ReadStore, Store } from "@mosaicstack/storage";
import { type DatabasePlace, makeDatabase, openPlace, versionOf } from "./databases.ts";
import { median, percentile } from "./figures.ts";
import { fillUp, THROUGH_REST } from "./fill-up.ts";
import { type GatewayHome, makeHome, startGateway } from "./gateway.ts";
import type { BenchOptions } from "./options.ts";
import { type Aim, aimsTable, table } from "./report.ts";
import { say } from "./say.ts";
import { addTasks, addTeams, setUp } from "./seed.ts";
import { LIMIT } from "./stage.ts";

/** What the second wall costs a read; what `--json` prints. */
export interface WallsReport {
  readonly node: string;
  readonly engine: string;
  readonly requests: number;
  readonly lines: readonly {
    readonly name: string;
    readonly oneWallMs: number;
    readonly bothWallsMs: number;
    /** The median of each read's difference to the one right before it. */
    readonly costMs: number;
  }[];
  readonly aims: readonly Aim[];
}

const COST_MS = 0.3;
const WARM_UP = 100;

interface Read {
  readonly name: string;
  readonly work: (read: ReadStore) => Promise<unknown>;
}

/** The same statement with the first wall alone and with both, in turn, in this process and without a gateway. */
export async function measureWalls(folder: string, options: BenchOptions): Promise<WallsReport> {
  const { databaseUrl, requests, tasks } = options;
  const database = databaseUrl === undefined ? undefined : await makeDatabase(databaseUrl, "walls");
  try {
    const home = await makeHome(join(folder, "walls"), "federated", database?.url);
    say(`seeding ${tasks} tasks`);
    const userId = await seed(home, tasks);
    if (database !== undefined) await fillUp(database.url, { tasks });
    const place: DatabasePlace =
      database === undefined
        ? { engine: "pglite", dataDirectory: join(home.folder, "data/database") }
        : { engine: "postgres", url: database.url };
    const store = await openPlace(place);
    try {
      const lines: WallsReport["lines"][number][] = [];
      for (const read of await readsOf(store, userId)) {
        say(`${requests} times: ${read.name}`);
        lines.push(await timeInTurn(store, userId, read, requests));
      }
      return {
        node: process.version,
        engine: databaseUrl === undefined ? "PGlite" : await versionOf(databaseUrl),
        requests,
        lines,
        aims: lines.map(({ name, costMs }) => ({
          name: `the second wall, ${name}`,
          aim: `<= ${COST_MS} ms`,
          measured: `${costMs.toFixed(2)} ms`,
          reached: costMs <= COST_MS,
        })),
      };
    } finally {
      await store.close();
    }
  } finally {
    await database?.drop();
  }
}

/** The user whose tasks they are. */
async function seed(home: GatewayHome, tasks: number): Promise<string> {
  const gateway = await startGateway(home);
  try {
    const account = await setUp(home.url, gateway.printed);
    await addTeams(account);
    await addTasks(account, {
      count: Math.min(tasks, home.databaseUrl === undefined ? tasks : THROUGH_REST),
      inTeams: true,
      phaseMs: 0,
    });
    return account.userId;
  } finally {
    await gateway.stop();
  }
}

async function readsOf(store: Store, userId: string): Promise<readonly Read[]> {
  const tasks = resourceNamed("tasks");
  const visibility = everythingOf(userId);
  const { lastId } = await listRows(store, tasks, visibility, { limit: LIMIT }, "federated");
  if (lastId === null) throw new Error("there are no tasks");
  return [
    { name: `a list of ${LIMIT}`, work: (read) => listRows(read, tasks, visibility, { limit: LIMIT }, "federated") },
    { name: "one row", work: (read) => getRow(read, tasks, visibility, lastId, "federated") },
  ];
}

async function timeInTurn(store: Store, userId: string, { name, work }: Read, requests: number) {
  const bounds: PeerBounds = { subjectUserId: userId, personal: true, teams: "all", resources: ["tasks"] };
  const kinds = [() => work(store), () => store.readAsPeer(bounds, work)] as const;
  const times: [number, number][] = [];
  for (let turn = -WARM_UP; turn < requests; turn += 1) {
    const took: [number, number] = [0, 0];
    // Each goes first as often as the other.
    for (const index of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const startedAt = performance.now();
      await kinds[index]();
      took[index] = performance.now() - startedAt;
    }
    if (turn >= 0) times.push(took);
  }
  const p50 = (index: 0 | 1): number =>
    percentile(
      times.map((took) => took[index]).toSorted((one, other) => one - other),
      50,
    );
  return { name, oneWallMs: p50(0), bothWallsMs: p50(1), costMs: median(times.map(([one, both]) => both - one)) };
}

/** What is printed for people. */
export function wallsText({ node, engine, requests, lines, aims }: WallsReport): string {
  const rows = lines.map(({ name, oneWallMs, bothWallsMs, costMs }) => [
    name,
    ...[oneWallMs, bothWallsMs, costMs].map((ms) => ms.toFixed(3)),
  ]);
  return [
    `Node ${node}, ${engine}; ${requests} of each, in turn, one after the other.\n`,
    table([["", "first wall, p50 ms", "both, p50 ms", "difference, median ms"], ...rows]),
    `\nAims\n${aimsTable(aims)}`,
    "",
  ].join("\n");
}
