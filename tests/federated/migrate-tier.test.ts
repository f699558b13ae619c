import { join } from "node:path";
import { newId, Problem } from "@mosaicstack/foundation";
import { openPglite, openPgliteSource, openPostgres, openPostgresSource } from "@mosaicstack/storage";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";
import {
  contentsOfDatabase,
  contentsOfGateway,
  look,
  migrateInto,
  MOVED,
  type Seeded,
  seedGateway,
  STAYING,
  writes,
} from "./migrate-tier-scene.ts";
import { AWKWARD_TEXTS } from "./migrate-tier-seed.ts";

const TASKS = 1_200;
let seeded: Seeded;
let dataDirectory: string;
let database: FreshDatabase;
beforeAll(async () => {
  seeded = await seedGateway(TASKS);
});
afterAll(async () => await seeded?.remove());
beforeEach(async () => {
  [dataDirectory, database] = await Promise.all([seeded.copy(), freshDatabase()]);
});
afterEach(async () => await database.drop());

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${String(error)}`);
  return error;
}

/** Tables, types and schemas that are not PostgreSQL's own. */
const things = async (): Promise<unknown[]> =>
  await database.run(
    `select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where nspname not in ('pg_catalog', 'information_schema', 'pg_toast') union
     select nspname, null from pg_namespace where nspname in ('drizzle')`,
  );

describe("a migration", () => {
  test("brings every row over as it is, and leaves the source as it was", async () => {
    const before = await contentsOfGateway(dataDirectory);
    const results = await migrateInto(dataDirectory, database.address);
    const after = await contentsOfDatabase(database);
    expect(after).toEqual(before);
    expect(await contentsOfGateway(dataDirectory)).toEqual(before);
    for (const table of Object.keys(MOVED)) {
      const rows = before[table]?.length;
      expect(results).toContainEqual(expect.objectContaining({ table, rows, copied: rows, alreadyThere: 0 }));
      expect(rows).toBeGreaterThan(0);
    }
    expect(results.find(({ table }) => table === "tasks")?.rows).toBe(TASKS);
    const bodies = await database.run<{ body: string }>("select body from notes order by id");
    expect(bodies.map(({ body }) => body)).toEqual(AWKWARD_TEXTS);
    const [credential] = await database.run<{ sealed_secret: string }>("select sealed_secret from credentials");
    expect(credential?.sealed_secret).toBe("v1.sealed.AAAA\\x00==");
  });

  test("leaves sessions, one-time codes and tokens behind, and says so", async () => {
    const { skipped } = await look(dataDirectory, database.address);
    expect(skipped.map(({ table, rows }) => [table, rows])).toEqual(
      expect.arrayContaining(STAYING.map((table) => [table, 1])),
    );
    await migrateInto(dataDirectory, database.address);
    for (const table of STAYING) expect(await database.run(`select from ${table}`)).toEqual([]);
  });

  test("has nothing left to do the second time, compares again and writes nothing", async () => {
    const first = await migrateInto(dataDirectory, database.address);
    const before = await writes(database);
    const second = await migrateInto(dataDirectory, database.address);
    expect(second).toEqual(first.map((result) => ({ ...result, copied: 0, alreadyThere: result.rows })));
    expect(await writes(database)).toBe(before);
  });

  test("of a PostgreSQL source reads it at one moment, and the rows are the same", async () => {
    await migrateInto(dataDirectory, database.address);
    const target = await freshDatabase();
    try {
      const results = await migrateInto(() => openPostgresSource(database.address), target.address);
      expect(results.find(({ table }) => table === "tasks")).toMatchObject({ rows: TASKS, copied: TASKS });
      expect(await contentsOfDatabase(target)).toEqual(await contentsOfDatabase(database));
      const [{ there } = {}] = await target.run<{ there: boolean }>(
        "select to_regclass('embeddings') is not null as there",
      );
      expect(there).toBe(true);
    } finally {
      await target.drop();
    }
  });

  test("keeps where the rows came from", async () => {
    await migrateInto(dataDirectory, database.address);
    const [run] = await database.run("select source, finished_at from drizzle.tier_migrations");
    expect(run).toEqual({
      source: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      finished_at: expect.any(Date) as Date,
    });
    const [tasks] = await database.run("select rows from drizzle.tier_migration_tables where table_name = 'tasks'");
    expect(tasks).toEqual({ rows: String(TASKS) });
  });
});

describe("a dry run", () => {
  test("counts the rows of each table and writes nothing at all", async () => {
    const { tables, rows, occupied } = await look(dataDirectory, database.address);
    expect(tables).toContainEqual({ table: "tasks", rows: TASKS });
    expect(rows).toBe(tables.reduce((sum, each) => sum + each.rows, 0));
    expect(occupied).toEqual([]);
    expect(await things()).toEqual([]);
  });
});

describe("a target that is not empty", () => {
  const addTask = async (title: string, id = newId()): Promise<void> => {
    const store = await openPostgres({ ...database.address, vector: true });
    await store.close();
    const [{ id: owner } = { id: newId() }] = await database.run<{ id: string }>(
      `insert into users (id, name, email) values ('${newId()}', 'Eve', '${id}@example.org') returning id`,
    );
    await database.run(
      `insert into tasks (id, owner_id, title, created_at, updated_at) values ('${id}', '${owner}', '${title}', now(), now())`,
    );
  };

  test("is refused", async () => {
    await addTask("theirs");
    const { code, details } = await refusal(migrateInto(dataDirectory, database.address));
    expect(code).toBe("target_not_empty");
    expect(details.detail).toContain("tasks (1)");
    expect(await database.run("select title from tasks")).toEqual([{ title: "theirs" }]);
  });

  test("is added to where that is allowed, and what was there stays", async () => {
    await addTask("theirs");
    const results = await migrateInto(dataDirectory, database.address, { allowNonEmpty: true });
    expect(results.find(({ table }) => table === "tasks")).toMatchObject({
      rows: TASKS,
      copied: TASKS,
      alreadyThere: 0,
    });
    expect(await database.run("select count(*)::int as n from tasks")).toEqual([{ n: TASKS + 1 }]);
    expect(await database.run("select count(*)::int as n from tasks where title = 'theirs'")).toEqual([{ n: 1 }]);
  });

  test("that has some of the rows already keeps them, and they are counted", async () => {
    await migrateInto(dataDirectory, database.address);
    await database.run("delete from tasks where key > 'T-5'");
    expect((await refusal(migrateInto(dataDirectory, database.address))).code).toBe("target_not_empty");
    const [{ n: left } = { n: 0 }] = await database.run<{ n: number }>("select count(*)::int as n from tasks");
    const results = await migrateInto(dataDirectory, database.address, { allowNonEmpty: true });
    expect(results.find(({ table }) => table === "tasks")).toMatchObject({ copied: TASKS - left, alreadyThere: left });
    expect(await contentsOfDatabase(database)).toEqual(await contentsOfGateway(dataDirectory));
  });

  test("that has other rows under the same keys is refused, with the table and how many, and not overwritten", async () => {
    await migrateInto(dataDirectory, database.address);
    await database.run("update tasks set title = 'changed' where key in ('T-1', 'T-2')");
    const { code, details } = await refusal(migrateInto(dataDirectory, database.address, { allowNonEmpty: true }));
    expect(code).toBe("target_conflict");
    expect(details.detail).toMatch(/table tasks has 2 rows/);
    expect(await database.run("select count(*)::int as n from tasks where title = 'changed'")).toEqual([{ n: 2 }]);
  });

  test("that has a row in the way, with a key of its own, is refused", async () => {
    await (await openPostgres({ ...database.address, vector: true })).close();
    await database.run(`insert into users (id, name, email) values ('${newId()}', 'Other', 'ada@example.org')`);
    const { code, details } = await refusal(migrateInto(dataDirectory, database.address, { allowNonEmpty: true }));
    expect(code).toBe("target_conflict");
    expect(details.detail).toContain("users_email_unique");
    expect(details.detail).not.toContain("ada@");
  });

  test("that has another gateway's certificate authority is refused", async () => {
    await (await openPostgres({ ...database.address, vector: true })).close();
    await database.run(
      `insert into certificate_authorities values ('${newId()}', 'another root', 'another key', now())`,
    );
    const { code, details } = await refusal(migrateInto(dataDirectory, database.address, { allowNonEmpty: true }));
    expect([code, details["table"]]).toEqual(["target_conflict", "certificate_authorities"]);
    expect(await database.run("select root_pem from certificate_authorities")).toEqual([{ root_pem: "another root" }]);
  });
});

describe("is refused", () => {
  test("while another migration into the same database runs", async () => {
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await other.query("select pg_advisory_lock(1953063282)");
    try {
      expect((await refusal(migrateInto(dataDirectory, database.address))).code).toBe("migration_running");
      expect(await things()).toEqual([]);
    } finally {
      await other.end();
    }
  });

  test("while a gateway has the data directory open", async () => {
    const store = await openPglite({ dataDirectory: join(dataDirectory, "database"), vector: true });
    try {
      expect((await refusal(migrateInto(dataDirectory, database.address))).code).toBe("data_directory_locked");
    } finally {
      await store.close();
    }
  });

  test("while a gateway is connected to the target", async () => {
    const store = await openPostgres({ ...database.address, vector: true });
    await store.query("select 1", []);
    try {
      expect((await refusal(migrateInto(dataDirectory, database.address))).code).toBe("target_in_use");
    } finally {
      await store.close();
    }
  });

  test("while a gateway is connected to a PostgreSQL source", async () => {
    const store = await openPostgres(database.address);
    await store.query("select 1", []);
    try {
      expect((await refusal(openPostgresSource(database.address))).code).toBe("source_in_use");
    } finally {
      await store.close();
    }
  });

  test("onto the source itself", async () => {
    await migrateInto(dataDirectory, database.address);
    const itself = migrateInto(() => openPostgresSource(database.address), database.address);
    expect((await refusal(itself)).code).toBe("target_is_source");
  });

  test("where there is no source, and none is made", async () => {
    const nowhere = join(seeded.folder, "nowhere");
    expect((await refusal(openPgliteSource(nowhere))).code).toBe("source_missing");
    expect((await refusal(openPostgresSource(database.address))).code).toBe("source_missing");
    expect(await things()).toEqual([]);
  });

  test("of a source with tables of another version, which is not changed", async () => {
    await (await openPostgres(database.address)).close();
    const journal = "drizzle.__drizzle_migrations";
    await database.run(`update ${journal} set created_at = 1`);
    expect((await refusal(openPostgresSource(database.address))).code).toBe("source_outdated");
    expect(await database.run(`select max(created_at)::text as newest from ${journal}`)).toEqual([{ newest: "1" }]);
    await database.run(`update ${journal} set created_at = 99999999999999`);
    expect((await refusal(openPostgresSource(database.address))).code).toBe("database_newer");
  });

  test("for a user that may not set up the target", async () => {
    await (await openPostgres({ ...database.address, vector: true })).close();
    const user = `guest_${newId().replaceAll("-", "")}`;
    await database.run(`create role ${user} login password 'guest-secret'`);
    await database.run(`grant usage on schema drizzle to ${user}; grant select on all tables in schema drizzle to ${user};
      grant select, insert, update, delete on all tables in schema public to ${user}`);
    try {
      const guest = { ...database.address, user, password: "guest-secret" };
      const { code, details } = await refusal(migrateInto(dataDirectory, guest));
      expect(code).toBe("target_forbidden");
      expect(JSON.stringify(details)).not.toContain("guest-secret");
    } finally {
      await database.run(`drop owned by ${user} cascade; drop role ${user}`);
    }
  });

  test("where rows don't arrive as they were, with the table's name, and none of that table is kept", async () => {
    await (await openPostgres({ ...database.address, vector: true })).close();
    await database.run(`create function change() returns trigger language plpgsql as
      'begin new.title := upper(new.title); return new; end';
      create trigger change before insert on tasks for each row execute function change()`);
    const { code, details } = await refusal(migrateInto(dataDirectory, database.address));
    expect(code).toBe("migration_differs");
    expect(details["tables"]).toEqual([expect.objectContaining({ table: "tasks" })]);
    expect(await database.run("select from tasks")).toEqual([]);
  });

  test("where the target's disk fills up meanwhile, with what to do, and the next run finishes it", async () => {
    await (await openPostgres({ ...database.address, vector: true })).close();
    // What the server says then, at the thousandth row.
    await database.run(`create function fill() returns trigger language plpgsql as $$
      begin
        if (select count(*) from tasks) > 999 then
          raise exception 'could not extend file' using errcode = 'disk_full';
        end if;
        return new;
      end $$;
      create trigger fill after insert on tasks for each row execute function fill()`);
    const { code, details } = await refusal(migrateInto(dataDirectory, database.address));
    expect(code).toBe("database_full");
    expect(details).toMatchObject({ port: database.address.port, remedy: expect.stringMatching(/Free space/) });
    expect(await database.run("select from tasks")).toEqual([]);
    await database.run("drop trigger fill on tasks");
    await migrateInto(dataDirectory, database.address);
    expect(await database.run("select count(*)::int as rows from tasks")).toEqual([{ rows: TASKS }]);
  });

  test("once it is interrupted, and the next run finishes it", async () => {
    const interrupt = new AbortController();
    interrupt.abort();
    const stopped = migrateInto(dataDirectory, database.address, { signal: interrupt.signal });
    await expect(stopped).rejects.toThrow("aborted");
    await migrateInto(dataDirectory, database.address);
    expect(await contentsOfDatabase(database)).toEqual(await contentsOfGateway(dataDirectory));
  });
});
