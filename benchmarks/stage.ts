import { cp } from "node:fs/promises";
import { join } from "node:path";
import { verbPath } from "@mosaicstack/federation-protocol";
import type { Running } from "./child-process.ts";
import { type DatabasePlace, makeDatabase } from "./databases.ts";
import { fillUp, THROUGH_REST } from "./fill-up.ts";
import type { FloorInput, FloorReady } from "./floor-process.ts";
import { type GatewayHome, makeHome, startGateway, startScript } from "./gateway.ts";
import { askOnce, type Target } from "./load.ts";
import { addNotes, addPeer, addTasks, addTeams, enroll, grantTasks, setUp } from "./seed.ts";

export const LIMIT = 50;
export const PEER = "work";

/** The floor and both gateways, each in its own process, with the same rows. Whoever sets it stops it. */
export interface Stage {
  readonly floor: Target;
  readonly candidates: readonly { readonly name: string; readonly target: Target }[];
  readonly processes: Readonly<Record<"floor" | "home" | "work", Running>>;
  stop(): Promise<void>;
}

/**
 * Seeds a work gateway (one user, three teams, `tasks` tasks, `notes` notes) and a home gateway (a quarter of the tasks) through their own
 * REST, joins them, starts both anew, and gives the floor a copy of the work gateway's database.
 * @param databaseUrl a PostgreSQL server for all three; absent: PGlite
 */
export async function setStage(
  folder: string,
  options: { readonly tasks: number; readonly notes: number; readonly databaseUrl: string | undefined },
): Promise<Stage> {
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  const owned = async (starting: Promise<Running>): Promise<Running> => {
    const running = await starting;
    undo.push(() => running.stop());
    return running;
  };
  const databaseOf = async (name: string): Promise<string | undefined> => {
    if (options.databaseUrl === undefined) return undefined;
    const database = await makeDatabase(options.databaseUrl, name);
    undo.push(() => database.drop());
    return database.url;
  };

  try {
    const work = await makeHome(join(folder, "work"), "federated", await databaseOf("work"));
    const home = await makeHome(join(folder, "home"), "federated", await databaseOf("home"));
    const seeded = await seed(work, home, { ...options, onPostgres: options.databaseUrl !== undefined });
    await fillHomes(work.databaseUrl, home.databaseUrl, options);
    const floor = await owned(
      startScript("floor-process.ts", JSON.stringify(await floorInput(work, seeded.workUserId)), join(folder, "floor")),
    );
    const processes = { floor, work: await owned(startGateway(work)), home: await owned(startGateway(home)) };

    const { url, rootPem, cert, key } = JSON.parse(floor.printed) as FloorReady;
    const asked = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ resource: "tasks", limit: LIMIT, filters: {} }),
    } as const;
    const get = (at: string, apiKey: string, source: string): Target => ({
      url: `${at}/api/v1/tasks?limit=${LIMIT}&source=${source}`,
      method: "GET",
      headers: { authorization: `Bearer ${apiKey}` },
    });
    const { peer } = seeded;
    const stage = {
      floor: { url, ...asked, tls: { ca: rootPem, cert, key } },
      candidates: [
        {
          name: "serving side: list",
          target: {
            url: `${peer.endpoint}${verbPath("list")}`,
            ...asked,
            tls: { ca: peer.rootPem, cert: peer.cert, key: peer.key },
          },
        },
        { name: "local list (REST)", target: get(work.url, seeded.workKey, "local") },
        { name: `home -> work: source=federated:${PEER}`, target: get(home.url, seeded.homeKey, `federated:${PEER}`) },
        { name: "home -> work: source=all", target: get(home.url, seeded.homeKey, "all") },
      ],
      processes,
      stop,
    };
    await check(stage);
    return stage;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Through what users use, and stopped again: what is measured then is a gateway with data, newly started. */
export async function seed(
  work: GatewayHome,
  home: GatewayHome,
  wanted: { readonly tasks: number; readonly notes: number; readonly onPostgres: boolean },
) {
  const most = wanted.onPostgres ? THROUGH_REST : Number.POSITIVE_INFINITY;
  const [tasks, notes] = [Math.min(wanted.tasks, most), Math.min(wanted.notes, most)];
  const workGateway = await startGateway(work);
  try {
    const worker = await setUp(work.url, workGateway.printed);
    await addTeams(worker);
    await addTasks(worker, { count: tasks, inTeams: true, phaseMs: 0 });
    await addNotes(worker, { count: notes, inTeams: true, phaseMs: 0 });
    const peer = await enroll(await grantTasks(worker, "benchmark"));
    const homeGateway = await startGateway(home);
    try {
      const owner = await setUp(home.url, homeGateway.printed);
      await addTasks(owner, { count: Math.ceil(tasks / 4), inTeams: false, phaseMs: tasks * 45_000 });
      await addPeer(owner, await grantTasks(worker, "home"), PEER);
      return { peer, workUserId: worker.userId, workKey: worker.apiKey, homeKey: owner.apiKey };
    } finally {
      await homeGateway.stop();
    }
  } finally {
    await workGateway.stop();
  }
}

/** Gives both databases, where they are on PostgreSQL, as many rows as are wanted. */
export async function fillHomes(
  work: string | undefined,
  home: string | undefined,
  { tasks, notes }: { readonly tasks: number; readonly notes: number },
): Promise<void> {
  if (work !== undefined) await fillUp(work, { tasks, notes });
  if (home !== undefined) await fillUp(home, { tasks: Math.ceil(tasks / 4) });
}

/** PGlite serves one process, so the floor gets a copy of the files; on PostgreSQL it reads the same database. */
async function floorInput({ folder, databaseUrl }: GatewayHome, subjectUserId: string): Promise<FloorInput> {
  if (databaseUrl !== undefined) {
    return { database: { engine: "postgres", url: databaseUrl }, subjectUserId, limit: LIMIT };
  }
  const database: DatabasePlace = { engine: "pglite", dataDirectory: join(folder, "../floor/database") };
  await cp(join(folder, "data/database"), database.dataDirectory, { recursive: true });
  return { database, subjectUserId, limit: LIMIT };
}

/** A benchmark of the wrong answer measures nothing. */
async function check({ floor, candidates }: Pick<Stage, "floor" | "candidates">): Promise<void> {
  const bytes = await askOnce(floor);
  for (const { name, target } of candidates) {
    const text = await askOnce(target);
    const { rows, partial } = JSON.parse(text) as { rows: unknown[]; partial?: boolean };
    if (rows.length !== LIMIT || partial === true) throw new Error(`${name} answered ${text.slice(0, 400)}`);
    if (target.tls !== undefined && text !== bytes) throw new Error(`${name} answers other bytes than the floor`);
  }
}
