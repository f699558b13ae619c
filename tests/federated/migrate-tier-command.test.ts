import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openPostgres, planTables } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";
import { contentsOfDatabase, contentsOfGateway, type Seeded, seedGateway } from "./migrate-tier-scene.ts";
import { type MosaicOptions, type Ran, runMosaic, startMosaic } from "./mosaic-process.ts";

const TASKS = 3_000;
const AUTH_SECRET = "the-generated-secret-of-a-test-longer-than-32";

let seeded: Seeded;
let dataDirectory: string;
let database: FreshDatabase;
let before: Awaited<ReturnType<typeof contentsOfGateway>>;
beforeAll(async () => {
  seeded = await seedGateway(TASKS);
  before = await contentsOfGateway(await seeded.copy());
});
afterAll(async () => await seeded?.remove());
beforeEach(async () => {
  [dataDirectory, database] = await Promise.all([seeded.copy(), freshDatabase()]);
  await mkdir(join(dataDirectory, "secrets"), { mode: 0o700 });
  await writeFile(join(dataDirectory, "secrets/auth-secret"), AUTH_SECRET, { mode: 0o600 });
  const config = { tier: "federated", embedded: true, dataDirectory };
  await writeFile(join(dataDirectory, "mosaic.config.json"), JSON.stringify(config));
});
afterEach(async () => await database.drop());

/** The target's URL without its password, which is in a variable. */
function withoutPassword(): string {
  const url = new URL(database.url);
  url.password = "";
  return url.href;
}

const rowsMoved = (): number => Object.values(before).reduce((sum, each) => sum + each.length, 0);
const password = (): string => database.address.password;
const words = (...more: string[]): string[] => ["storage", "migrate-tier", "--to", "federated", ...more];

async function run(more: readonly string[], options: Partial<MosaicOptions> = {}): Promise<Ran> {
  const ran = await runMosaic(words(...more), {
    directory: dataDirectory,
    variables: { MOSAIC_TARGET_PASSWORD: password() },
    ...options,
  });
  expect(ran.out + ran.err).not.toContain(password());
  expect(ran.out + ran.err).not.toContain(AUTH_SECRET);
  return ran;
}

const tables = async (): Promise<unknown[]> =>
  await database.run("select tablename from pg_tables where schemaname in ('public', 'drizzle')");

describe("mosaic storage migrate-tier", () => {
  test("with --dry-run prints the rows of each table, what stays behind, and writes nothing", async () => {
    const { status, out, err } = await run(["--target-url", withoutPassword(), "--dry-run"]);
    expect(status).toBe(0);
    expect(out).toMatch(/^tasks +3000 +copied$/mu);
    expect(out).toMatch(/^sessions +1 +skipped: people sign in again$/mu);
    expect(err).toContain("Nothing was written");
    expect(await tables()).toEqual([]);
  });

  test("with --dry-run and no target counts all the same", async () => {
    const { status, out } = await run(["--dry-run", "--json"]);
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      data: { dry_run: true, target: null, rows: expect.any(Number) as number },
    });
  });

  test("copies, prints what it compared and what to do next, and names the secret's file without its secret", async () => {
    const { status, out, err } = await run(["--target-url", withoutPassword(), "--yes"]);
    expect(status).toBe(0);
    expect(out).toMatch(/^tasks +3000 +3000 +the same$/mu);
    expect(err).toContain(`BETTER_AUTH_SECRET_FILE=${join(dataDirectory, "secrets/auth-secret")}`);
    expect(err).toContain(`"name": "${database.address.name}"`);
    expect(await contentsOfDatabase(database)).toEqual(before);
    const again = await run(["--target-url", withoutPassword(), "--yes", "--json"]);
    expect(JSON.parse(again.out)).toMatchObject({ data: { copied: 0, dry_run: false } });
  });

  test("takes the whole URL, with its password, from a file", async () => {
    const file = join(dataDirectory, "target-url");
    await writeFile(file, `${database.url}\n`);
    const { status } = await run(["--yes", "--quiet"], { variables: { MOSAIC_TARGET_DATABASE_URL_FILE: file } });
    expect(status).toBe(0);
  });

  test("refuses a password on the command line, and doesn't repeat it", async () => {
    const { status, err } = await run(["--target-url", database.url, "--yes"], { variables: {} });
    expect(status).toBe(2);
    expect(err).toContain("MOSAIC_TARGET_PASSWORD_FILE");
    expect(await tables()).toEqual([]);
  });

  test("without a terminal wants --yes, and writes nothing before", async () => {
    const { status, err } = await run(["--target-url", withoutPassword()]);
    expect([status, err]).toEqual([2, expect.stringContaining("confirmation_needed") as string]);
    expect(await tables()).toEqual([]);
  });

  test("on a terminal asks with rows, host, port and database, and a no changes nothing", async () => {
    const { host, port, name } = database.address;
    const options = { variables: { MOSAIC_TARGET_PASSWORD: password() }, terminal: { key: "n" } };
    const { status, out: screen } = await run(["--target-url", withoutPassword()], options);
    expect(status).toBe(130);
    expect(screen).toContain(`Copy ${rowsMoved()} rows from the embedded database in ${dataDirectory}`);
    expect(screen).toContain(`to the database ${name} on ${host}:${port}?`);
    expect(await tables()).toEqual([]);
  });

  test("on a terminal shows a bar with rows and rate", async () => {
    const options = { variables: { MOSAIC_TARGET_PASSWORD: password() }, terminal: { key: "y" } };
    const { status, out: screen } = await run(["--target-url", withoutPassword()], options);
    expect(status).toBe(0);
    expect(screen).toMatch(new RegExp(`100%.*${rowsMoved()} rows, \\d+ rows/s`, "u"));
  });

  test.each([
    ["without a target", ["--yes"], "input_needed"],
    [
      "with a target that names no database",
      ["--target-url", "postgresql://mosaic@localhost", "--yes"],
      "names no database",
    ],
    ["with a target that names no user", ["--target-url", "postgresql://localhost/mosaic", "--yes"], "names no user"],
    [
      "to a smaller tier",
      ["--to", "standalone", "--target-url", "postgresql://u@localhost/n"],
      "can't be migrated to tier",
    ],
    ["with the target given twice", ["--target-url", "postgresql://u@localhost/n"], "twice"],
  ])("is refused %s", async (how, more, message) => {
    const variables = how.includes("twice") ? { MOSAIC_TARGET_DATABASE_URL: database.url } : {};
    const { status, err } = await run(more, { variables });
    expect([status, err]).toEqual([2, expect.stringContaining(message) as string]);
  });

  test("of a target that can't be reached exits as unreachable, without the password", async () => {
    const { status, err } = await run(["--target-url", "postgresql://mosaic@127.0.0.1:1/mosaic", "--yes"]);
    expect([status, err]).toEqual([7, expect.stringContaining("database_unreachable") as string]);
  });
});

async function until(sql: string): Promise<void> {
  for (let tries = 0; tries < 1_500; tries += 1) {
    const rows = await database.run<{ now: boolean }>(sql).catch(() => []);
    if (rows[0]?.now === true) return;
    await sleep(10);
  }
  throw new Error(`it never came to: ${sql}`);
}

/** Makes each row of a table take a while to write, so that there is a moment to hit. */
async function slow(table: string, seconds: number): Promise<void> {
  await (await openPostgres({ ...database.address, vector: true })).close();
  await database.run(`create function wait() returns trigger language plpgsql as
    'begin perform pg_sleep(${seconds}); return new; end';
    create trigger wait before insert on ${table} for each row execute function wait()`);
}

/** How many tables are copied before this one. */
function tablesBefore(table: string): number {
  return planTables().copied.findIndex(({ name }) => name === table);
}

const RECORDED = "select count(*)::int as n from drizzle.tier_migration_tables";

/** The tables before this one are there and recorded; of this one nothing is, once the server notices that nobody is there. */
async function expectUndone(table: string): Promise<void> {
  await until(
    "select count(*) = 0 as now from pg_stat_activity where datname = current_database() and application_name = 'mosaic-migrate-tier'",
  );
  expect(await database.run(RECORDED)).toEqual([{ n: tablesBefore(table) }]);
  expect(await database.run(`select from ${table}`)).toEqual([]);
  await database.run(`drop trigger wait on ${table}`);
}

describe("a migration killed", () => {
  test.each([
    [
      "as soon as it is connected",
      undefined,
      "select count(*) > 0 as now from pg_stat_activity where datname = current_database() and application_name = 'mosaic-migrate-tier'",
    ],
    [
      "while it makes the tables",
      undefined,
      "select count(*) > 0 as now from pg_stat_activity where datname = current_database() and application_name = 'mosaic'",
    ],
    [
      "after some tables",
      ["teams", 5],
      `select count(*) = ${tablesBefore("teams")} as now from drizzle.tier_migration_tables`,
    ],
    [
      "in the middle of a table",
      ["tasks", 0.002],
      "select tuples_processed > 500 as now from pg_stat_progress_copy where relid = 'tasks'::regclass",
    ],
  ] as const)("%s is finished by the next run, and the source is as it was", async (_, slowed, moment) => {
    if (slowed !== undefined) await slow(slowed[0], slowed[1]);
    const { child, ended } = startMosaic(words("--target-url", withoutPassword(), "--yes", "--quiet"), {
      directory: dataDirectory,
      variables: { MOSAIC_TARGET_PASSWORD: password() },
    });
    await until(moment);
    child.kill("SIGKILL");
    await ended;
    if (slowed !== undefined) await expectUndone(slowed[0]);
    const { status, out } = await run(["--target-url", withoutPassword(), "--yes", "--json"]);
    expect(status).toBe(0);
    const { data } = JSON.parse(out) as { data: { tables: { already_there: number }[] } };
    const kept = data.tables.filter((table) => table.already_there > 0).length;
    expect(kept).toBe(slowed === undefined ? kept : tablesBefore(slowed[0]));
    expect(await contentsOfDatabase(database)).toEqual(before);
    expect(await contentsOfGateway(dataDirectory)).toEqual(before);
  });
});
