import { existsSync, openAsBlob } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newId } from "@mosaicstack/foundation";
import { testSnapshotFile } from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { databaseProblem, openPglite, openPgliteInMemory, schema } from "../src/index.ts";
import { startChild } from "./processes/child-process.ts";

let snapshot: Blob;
beforeAll(async () => {
  snapshot = await openAsBlob(await testSnapshotFile());
});

let dataDirectory: string;
beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "mosaic-data-"));
});
afterEach(() => rm(dataDirectory, { recursive: true, force: true }));

test("an embedded database keeps its rows from one opening to the next", async () => {
  const first = await openPglite({ dataDirectory, snapshot });
  await first.query("insert into teams (id, name) values ('01900000-0000-7000-8000-000000000001', 'Platform')", []);
  await first.close();
  expect(await readdir(dataDirectory)).toEqual(["database"]);
  const again = await openPglite({ dataDirectory });
  expect(await again.query("select name from teams", [])).toEqual([{ name: "Platform" }]);
  await again.close();
});

test("a data directory that isn't there is made", async () => {
  const deep = join(dataDirectory, "of", "ada");
  await (await openPglite({ dataDirectory: deep, snapshot })).close();
  expect(existsSync(join(deep, "database", "PG_VERSION"))).toBe(true);
});

test("an open database is refused to another opener, in this process and in another", async () => {
  const store = await openPglite({ dataDirectory, snapshot });
  await expect(openPglite({ dataDirectory })).rejects.toMatchObject({ code: "data_directory_locked" });
  const writer = startChild("./write-rows.ts", [dataDirectory]);
  await expect(writer.nextLine()).rejects.toThrow(`Process ${process.pid}`);
  await store.close();
});

test("a store whose lock was taken over refuses to work on", { timeout: 30_000 }, async () => {
  const store = await openPglite({ dataDirectory, snapshot });
  await rm(join(dataDirectory, "lock"), { recursive: true });
  await sleep(4_000);
  await expect(store.query("select 1", [])).rejects.toMatchObject({ code: "data_directory_locked" });
  await expect(store.transaction(() => Promise.resolve())).rejects.toMatchObject({ code: "data_directory_locked" });
  await store.close();
});

test("a folder that holds no database is refused, kept, and not left locked", async () => {
  await mkdir(join(dataDirectory, "database"));
  await writeFile(join(dataDirectory, "database", "holiday.jpg"), "");
  const error: unknown = await openPglite({ dataDirectory }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "data_directory_unusable",
    message: expect.stringContaining(dataDirectory) as string,
  });
  expect(await readdir(join(dataDirectory, "database"))).toEqual(["holiday.jpg"]);
  expect(existsSync(join(dataDirectory, "lock"))).toBe(false);
});

test("a damaged database is refused, and not left locked", async () => {
  await (await openPglite({ dataDirectory, snapshot })).close();
  await rm(join(dataDirectory, "database", "global", "pg_control"));
  await expect(openPglite({ dataDirectory })).rejects.toMatchObject({ code: "data_directory_unusable" });
  expect(existsSync(join(dataDirectory, "lock"))).toBe(false);
});

test("an older program refuses a database that a newer one has changed, and leaves it as it was", async () => {
  const newer = await openPglite({ dataDirectory, snapshot });
  await newer.db.execute(
    "insert into drizzle.__drizzle_migrations (hash, created_at) values ('of the future', 99999999999999)",
  );
  await newer.close();
  await expect(openPglite({ dataDirectory })).rejects.toMatchObject({ code: "database_newer" });
  expect(existsSync(join(dataDirectory, "lock"))).toBe(false);
});

test("a closed store answers with a problem, however it's used, and what was asked before is finished", async () => {
  const store = await openPglite({ dataDirectory, snapshot });
  const before = store.query("select 1 as one", []);
  await store.close();
  expect(await before).toEqual([{ one: 1 }]);
  const uses = [
    () => store.query("select 1", []),
    () => store.db.select().from(schema.teams).execute(),
    () => store.db.insert(schema.teams).values({ id: newId(), name: "Platform" }).execute(),
    () => store.transaction((db) => db.select().from(schema.teams)),
  ];
  for (const use of uses) {
    const error = await use().catch((thrown: unknown) => thrown);
    expect(databaseProblem(error)).toMatchObject({ code: "database_closed", status: 503 });
  }
});

test("the write-ahead log is kept short, and the planner is shown the tables", async () => {
  const store = await openPglite({ dataDirectory, snapshot, housekeeping: { everyMs: 20, afterBytes: 2 ** 20 } });
  await store.query(
    `insert into teams (id, name) select md5(number::text)::uuid, repeat(number::text, 40)
     from generate_series(1, 20000) as number`,
    [],
  );
  const look = async () =>
    (
      await store.query<{ log: number; rows: number }>(
        `select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 as log, reltuples as rows
         from pg_control_checkpoint(), pg_class where oid = 'teams'::regclass`,
        [],
      )
    )[0];
  await vi.waitFor(async () => expect(await look()).toMatchObject({ rows: 20_000 }), { timeout: 20_000 });
  await vi.waitFor(async () => expect((await look())?.log).toBeLessThan(2 ** 20), { timeout: 20_000 });
  await store.close();
});

describe("the vector extension", () => {
  let withVector: Awaited<ReturnType<typeof openPgliteInMemory>>;
  let without: Awaited<ReturnType<typeof openPgliteInMemory>>;
  beforeAll(async () => {
    withVector = await openPgliteInMemory({ vector: true, snapshot });
    without = await openPgliteInMemory({ snapshot });
  });
  afterAll(() => Promise.all([withVector.close(), without.close()]));

  test("is there where it was asked for", async () => {
    const [row] = await withVector.query("select '[1,2,3]'::vector(3)::text as v", []);
    expect(row).toEqual({ v: "[1,2,3]" });
  });

  test("isn't there where it wasn't", async () => {
    await expect(without.query("select '[1,2,3]'::vector(3)::text as v", [])).rejects.toThrow("vector");
  });
});
