import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openPostgresSource } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  contentsOfDatabase,
  contentsOfGateway,
  type FreshDatabase,
  freshDatabase,
  migrateInto,
} from "../federated/migrate-tier-scene.ts";
import { runMosaic, startMosaic } from "../federated/mosaic-process.ts";

const kep = resolve(process.env["KEP_DATA"] ?? "");
const PASSWORD = "correct horse battery staple";

let directory: string;
let before: Awaited<ReturnType<typeof contentsOfGateway>>;
let database: FreshDatabase;

/** A gateway of tier local with the whole project imported into it as its admin would, stopped again. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mosaic-kep-tier-"));
  await mkdir(join(directory, "home"));
  await writeFile(join(directory, "mosaic.config.json"), '{ "dataDirectory": "./data", "http": { "port": 0 } }');
  const gateway = startMosaic(["start"], { directory });
  while (!gateway.out().includes("setup code")) await Promise.race([sleep(50), refuseEnd(gateway.ended)]);
  const url = /http:\/\/[\w.:]+/u.exec(gateway.out())?.[0] ?? "";
  const code = /setup code +(\S+)/u.exec(gateway.out())?.[1];
  const answer = await fetch(`${url}/api/v1/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code, name: "Ada", email: "ada@example.org", password: PASSWORD }),
  });
  const { api_key: key = "" } = (await answer.json()) as { api_key?: string };
  const variables = { MOSAIC_URL: url, MOSAIC_API_KEY: key };
  for (const what of [["people", "--email-domain", "kep.example"], ["tasks"], ["notes"]]) {
    const [resource = "", ...more] = what;
    const words = ["import", resource, join(kep, `${resource}.jsonl`), ...more];
    const { status, err } = await runMosaic(words, { directory: join(directory, "home"), variables });
    if (status !== 0) throw new Error(`import ${resource}: ${err}`);
  }
  gateway.child.kill("SIGTERM");
  await gateway.ended;
  before = await contentsOfGateway(join(directory, "data"));
});
afterAll(async () => await rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => await database.drop());

async function refuseEnd(ended: ReturnType<typeof startMosaic>["ended"]): Promise<never> {
  throw new Error(`the gateway ended: ${(await ended).err}`);
}

const counted = (): Record<string, number | undefined> =>
  Object.fromEntries(["users", "tasks", "notes", "teams"].map((table) => [table, before[table]?.length]));

test("everything moves to PostgreSQL, row for row, and a second run changes nothing", async () => {
  expect(counted()).toEqual({ users: 453, tasks: 537, notes: 536, teams: expect.any(Number) as number });
  const first = await migrateInto(join(directory, "data"), database.address);
  expect(await contentsOfDatabase(database)).toEqual(before);
  const second = await migrateInto(join(directory, "data"), database.address);
  expect(second).toEqual(first.map((result) => ({ ...result, copied: 0, alreadyThere: result.rows })));
  expect(await contentsOfGateway(join(directory, "data"))).toEqual(before);
});

test("and from there to another PostgreSQL", async () => {
  const first = await migrateInto(join(directory, "data"), database.address);
  const target = await freshDatabase();
  try {
    const second = await migrateInto(async () => await openPostgresSource(database.address), target.address);
    expect(second).toEqual(first);
    expect(await contentsOfDatabase(target)).toEqual(before);
  } finally {
    await target.drop();
  }
});

test("a run killed half-way is finished by the next", async () => {
  const url = new URL(database.url);
  url.password = "";
  const options = { directory, variables: { MOSAIC_TARGET_PASSWORD: database.address.password } };
  const words = ["storage", "migrate-tier", "--to", "federated", "--target-url", url.href, "--yes", "--json"];
  const { child, ended } = startMosaic(words, options);
  const half = "select coalesce(sum(rows), 0) > 500 as now from drizzle.tier_migration_tables";
  for (;;) {
    const [row] = await database.run<{ now: boolean }>(half).catch(() => []);
    if (row?.now === true) break;
  }
  child.kill("SIGKILL");
  await ended;
  const { status, out } = await runMosaic(words, options);
  expect(status).toBe(0);
  const { data } = JSON.parse(out) as { data: { rows: number; copied: number } };
  expect(data.copied).toBeLessThan(data.rows);
  expect(await contentsOfDatabase(database)).toEqual(before);
  expect(await contentsOfGateway(join(directory, "data"))).toEqual(before);
});
