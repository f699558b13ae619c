import { inspect } from "node:util";
import { newId, Problem } from "@mosaicstack/foundation";
import { databaseProblem, openPostgres, schema, type Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPrivatePostgresql } from "../../scripts/services/private-instances.ts";

let server: Awaited<ReturnType<typeof startPrivatePostgresql>>;
beforeAll(async () => {
  server = await startPrivatePostgresql();
});
afterAll(() => server.stop());

let stores: Store[];
beforeEach(() => {
  stores = [];
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
});

async function open(more: Partial<Parameters<typeof openPostgres>[0]> = {}): Promise<Store> {
  const { host, port, user, password, database: name } = server;
  const store = await openPostgres({ host, port, user, password, name, connectTimeoutMs: 1_000, ...more });
  stores.push(store);
  return store;
}

/** The problem a statement failed with, by itself or in drizzle's wrapping; an unknown error fails the test. */
async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => databaseProblem(thrown) ?? thrown,
  );
  if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${inspect(error)}`);
  expect(error.status).toBe(503);
  expect(inspect(error, { depth: 9 })).not.toContain(server.password);
  return error;
}

/** One of each way to use a store, each over and over for as long as it's asked, so that some are always in flight. */
const WAYS: readonly ((store: Store) => Promise<unknown>)[] = [
  (store) => store.query("select pg_sleep(10)", []),
  (store) => store.db.execute("select pg_sleep(10)").execute(),
  (store) => store.transaction((db) => db.execute("select pg_sleep(10)")),
  (store) =>
    store.transaction((db) =>
      db.transaction(async (nested) => {
        await nested.insert(schema.teams).values({ id: newId(), name: newId() });
        await nested.execute("select pg_sleep(10)");
      }),
    ),
];

/** The same, which need no waiting: whatever fails of them fails at once. */
const QUICK: readonly ((store: Store) => Promise<unknown>)[] = [
  (store) => store.query("select 1", []),
  (store) => store.db.select().from(schema.teams).execute(),
  (store) => store.db.query.teams.findFirst().execute(),
  (store) => store.db.insert(schema.teams).values({ id: newId(), name: newId() }).execute(),
  (store) => store.transaction((db) => db.insert(schema.teams).values({ id: newId(), name: newId() })),
  (store) => store.db.transaction((db) => db.execute("select 1")),
];

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How often a store refused before it answered: by a problem each time. */
async function refusalsUntilAnswered(store: Store): Promise<number> {
  for (let refusals = 0; ; refusals += 1) {
    const asked = store.query("select 1", []);
    const answered = await asked.then(
      () => true,
      () => false,
    );
    if (answered) return refusals;
    await problemOf(asked);
    await wait(10);
  }
}

describe("the server is killed", () => {
  test("with 20 statements in flight: each is a 503 problem, and the store works again when the server does", async () => {
    const store = await open({ poolSize: 5, connectTimeoutMs: 5_000 });
    for (let round = 0; round < 2; round += 1) {
      const running = Array.from({ length: 20 }, (_, index) =>
        problemOf(WAYS[index % WAYS.length]?.(store) ?? wait(0)),
      );
      await wait(300);
      await server.kill();
      const began = performance.now();
      const codes = (await Promise.all(running)).map(({ code }) => code);
      expect(new Set(codes)).toEqual(new Set(["database_unreachable"]));
      expect(performance.now() - began).toBeLessThan(2_000);

      for (const use of QUICK) {
        const { code, details } = await problemOf(use(store));
        expect(code).toBe("database_unreachable");
        expect(details).toMatchObject({ service: "postgresql", host: server.host, port: server.port });
      }

      const restarting = server.restart();
      expect(await refusalsUntilAnswered(store)).toBeGreaterThan(0);
      await restarting;
      for (const use of QUICK) await use(store);
    }
    // What was under way was rolled back: no more than the quick ones ever arrived.
    expect(await store.query("select count(*)::int4 as count from teams", [])).toEqual([{ count: 4 }]);
  });
});

describe("the server is frozen", () => {
  test("statements and new connections end with a 503 problem, and go on once it goes on", async () => {
    const store = await open({ poolSize: 2, statementTimeoutMs: 500 });
    await store.query("select 1", []);
    server.pause();
    try {
      const began = performance.now();
      const codes = (await Promise.all(QUICK.map((use) => problemOf(use(store))))).map(({ code }) => code);
      for (const code of codes) expect(["database_unreachable", "database_busy"]).toContain(code);
      expect(performance.now() - began).toBeLessThan(8_000);
    } finally {
      server.resume();
    }
    for (const use of QUICK) await use(store);
  });
});

describe("a transaction", () => {
  test("that waits too long for a lock ends with a problem, and the lock's holder goes on", async () => {
    const [holder, waiter] = [await open(), await open({ statementTimeoutMs: 400 })];
    const team = { id: newId(), name: newId() };
    await holder.db.insert(schema.teams).values(team);
    const rename = (db: Store["db"]) =>
      db.execute(`update teams set name = '${newId()}' where id = '${team.id}'`).execute();
    await holder.transaction(async (db) => {
      await rename(db);
      expect((await problemOf(rename(waiter.db))).code).toBe("database_timeout");
      expect((await problemOf(waiter.transaction((other) => rename(other)))).code).toBe("database_timeout");
      await rename(db);
    });
    await rename(waiter.db);
  });

  test("that idles too long is ended, and lets go of its locks", async () => {
    const store = await open({ poolSize: 2, statementTimeoutMs: 300 });
    const { code } = await problemOf(
      store.transaction(async (db) => {
        await db.execute("lock table teams in access exclusive mode");
        await wait(900);
        await db.execute("select 1");
      }),
    );
    expect(code).toBe("database_timeout");
    await store.query("select 1 from teams", []);
  });
});

test("a closed store answers with a problem, however it's used", async () => {
  const store = await open();
  await store.close();
  for (const use of QUICK) expect((await problemOf(use(store))).code).toBe("database_closed");
});
