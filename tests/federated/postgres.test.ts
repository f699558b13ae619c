import { inspect } from "node:util";
import { newId, Problem } from "@mosaicstack/foundation";
import { constraintViolation, databaseProblem, openPostgres, schema, type Store } from "@mosaicstack/storage";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

let database: FreshDatabase;
let stores: Store[];
beforeEach(async () => {
  database = await freshDatabase();
  stores = [];
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await database.drop();
});

async function open(more: Partial<Parameters<typeof openPostgres>[0]> = {}): Promise<Store> {
  const store = await openPostgres({ ...database.address, ...more });
  stores.push(store);
  return store;
}

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => databaseProblem(thrown) ?? thrown,
  );
  if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${String(error)}`);
  expect(inspect(error, { depth: 9 })).not.toContain(database.address.password);
  return error;
}

/** As when the server restarts: everyone else's connections are gone. */
async function cutConnections(): Promise<void> {
  await database.run(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`,
  );
}

const backend = async (store: Store) =>
  (await store.query<{ pid: number }>("select pg_backend_pid() as pid", []))[0]?.pid ?? 0;

describe("opening", () => {
  test("by several at once on an empty database migrates it once", async () => {
    await Promise.all(Array.from({ length: 5 }, () => open({ poolSize: 1 })));
    const applied = await database.run("select hash from drizzle.__drizzle_migrations");
    expect(new Set(applied.map(({ hash }) => hash as string)).size).toBe(applied.length);
    expect(await database.run("select pid from pg_locks where locktype = 'advisory'")).toEqual([]);
  });

  test("waits for another that migrates, and gives up with a problem", async () => {
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await other.query("select pg_advisory_lock(120399153752419)");
    expect((await refusal(open({ migrationWaitMs: 200 }))).code).toBe("migrations_busy");
    const waiting = open();
    await other.end();
    await waiting;
  });

  test("refuses a database that a newer version has changed", async () => {
    await open();
    await database.run("insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 99999999999999)");
    expect((await refusal(open())).code).toBe("database_newer");
  });

  test.each([
    ["a wrong password", { password: "wrong-horse" }, "wrong user or password"],
    ["an unknown user", { user: "nobody_here" }, "wrong user or password"],
    ["an unknown database", { name: "nowhere_here" }, "no such database"],
  ])("with %s says so", async (_, wrong, because) => {
    const { code, details } = await refusal(open(wrong));
    expect(code).toBe("database_unreachable");
    expect(details).toMatchObject({ cause: because, host: database.address.host, port: database.address.port });
  });
});

describe("the vector extension", () => {
  test("is created where it was asked for, as often as it is, and keeps a vector", async () => {
    await open({ vector: true });
    const store = await open({ vector: true });
    await store.db.execute("create table places (at vector(3))");
    await store.query("insert into places values ($1::vector)", ["[1,2,3]"]);
    expect(await store.query("select at::text as at, at <-> '[1,2,5]' as away from places", [])).toEqual([
      { at: "[1,2,3]", away: 2 },
    ]);
  });

  test("isn't there where it wasn't", async () => {
    await open();
    expect(await database.run("select 1 from pg_extension where extname = 'vector'")).toEqual([]);
  });

  test("that this user may not create is a problem of its own, until someone else has created it", async () => {
    const user = `guest_${newId().replaceAll("-", "")}`;
    await database.run(`create role ${user} login password 'guest-secret'`);
    await database.run(
      `grant all on schema public to ${user}; grant create on database ${database.address.name} to ${user}`,
    );
    try {
      const forbidden = await refusal(open({ user, password: "guest-secret", vector: true }));
      expect(forbidden.code).toBe("vector_unavailable");
      expect(forbidden.details.detail).toContain("may not enable it");
      await database.run("create extension vector");
      // So may nobody but a superuser let it become the peers' reader (peer-reader-role.test.ts).
      await database.run(
        `do $$ begin create role mosaic_peer_reader nologin noinherit; exception when duplicate_object then null; end $$;
         grant mosaic_peer_reader to ${user} with inherit false, set true`,
      );
      await (await openPostgres({ ...database.address, user, password: "guest-secret", vector: true })).close();
    } finally {
      await database.run(`drop owned by ${user} cascade; drop role ${user}`);
    }
  });
});

describe("statements", () => {
  test("are prepared once a connection, under a name of their text", async () => {
    const store = await open({ poolSize: 1 });
    for (const number of [1, 2, 3]) await store.query("select $1::int4 as n", [number]);
    const prepared = await store.query<{ name: string }>(
      "select name from pg_prepared_statements where statement = 'select $1::int4 as n'",
      [],
    );
    expect(prepared).toEqual([{ name: expect.stringMatching(/^m[\w-]{20}$/) as string }]);
  });

  test("without end stop being prepared, and still answer", async () => {
    const store = await open({ poolSize: 1 });
    for (let number = 0; number < 520; number += 1) await store.query(`select ${number} as n`, []);
    expect(await store.query("select 519 as n", [])).toEqual([{ n: 519 }]);
    const [row] = await store.query<{ count: number }>(
      "select count(*)::int4 as count from pg_prepared_statements",
      [],
    );
    expect(row?.count).toBe(500);
  });

  test("that fail don't cost the connection", async () => {
    const store = await open({ poolSize: 1 });
    const before = await backend(store);
    const team = { id: newId(), name: "Platform" };
    await store.db.insert(schema.teams).values(team);
    const again = await store.db
      .insert(schema.teams)
      .values(team)
      .execute()
      .catch((error: unknown) => error);
    expect(constraintViolation(again)?.kind).toBe("unique");
    expect(await backend(store)).toBe(before);
  });

  test("that run too long are ended, with a problem", async () => {
    const store = await open({ poolSize: 1, statementTimeoutMs: 100 });
    const slow = "select pg_sleep(5)";
    expect((await refusal(store.query(slow, []))).code).toBe("database_timeout");
    expect((await refusal(store.transaction((db) => db.execute(slow)))).code).toBe("database_timeout");
    expect((await refusal(store.db.execute(slow).execute())).code).toBe("database_timeout");
    expect(await store.query("select 1 as one", [])).toEqual([{ one: 1 }]);
  });
});

describe("connections", () => {
  test("are waited for, and not longer than asked", async () => {
    const store = await open({ poolSize: 1, connectTimeoutMs: 200 });
    let letGo: () => void = () => undefined;
    const holder = store.transaction(() => new Promise<void>((resolve) => (letGo = resolve)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await refusal(store.query("select 1", []))).code).toBe("database_busy");
    letGo();
    await holder;
    expect(await store.query("select 1 as one", [])).toEqual([{ one: 1 }]);
  });

  test("cut by the server fail what they ran, with a problem, and are replaced", async () => {
    const store = await open({ poolSize: 2 });
    for (let round = 0; round < 6; round += 1) {
      const running = [
        refusal(store.query("select pg_sleep(5)", [])),
        refusal(store.transaction((db) => db.execute("select pg_sleep(5)"))),
      ];
      await new Promise((resolve) => setTimeout(resolve, 60));
      await cutConnections();
      for (const problem of await Promise.all(running)) expect(problem.code).toBe("database_unreachable");
      expect(await store.query("select 1 as one", [])).toEqual([{ one: 1 }]);
    }
  });

  test("cut while idle are replaced, whoever asks next", async () => {
    const store = await open({ poolSize: 1 });
    for (let round = 0; round < 6; round += 1) {
      await backend(store);
      await cutConnections();
      // The first may still get the dead connection; it must give it back.
      const code = await store
        .transaction((db) => db.execute("select 1"))
        .then(
          () => undefined,
          (error: unknown) => databaseProblem(error)?.code,
        );
      expect([undefined, "database_unreachable"]).toContain(code);
      expect(await store.query("select 1 as one", [])).toEqual([{ one: 1 }]);
    }
  });
});
