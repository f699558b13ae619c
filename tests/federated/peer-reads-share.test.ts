import { newId } from "@mosaicstack/foundation";
import { openPostgres, type PeerBounds, type Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

let database: FreshDatabase;
let store: Store;
beforeAll(async () => {
  database = await freshDatabase();
  store = await openPostgres({ ...database.address, vector: true, poolSize: 4, connectTimeoutMs: 500 });
});
afterAll(async () => {
  await store?.close();
  await database?.drop();
});

const bounds: PeerBounds = { subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] };
const slowly = (seconds: number) =>
  store.readAsPeer(bounds, (read) => read.query("select pg_sleep($1::float8)::text", [seconds]));

/** How many connections are running a peer's read. */
async function busy(): Promise<number | undefined> {
  const statement = `select count(*)::int4 as busy from pg_stat_activity
    where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()`;
  const [found] = await store.query<{ busy: number }>(statement, []);
  return found?.busy;
}

test("peers that keep as many connections busy as they get leave this gateway's own reads alone", async () => {
  const reads = Array.from({ length: 20 }, () =>
    slowly(1).then(
      () => "read",
      (error: unknown) => (error as { code?: string }).code,
    ),
  );
  // It would wait for a connection until it gave up.
  expect(await store.query("select 1 as one", [])).toEqual([{ one: 1 }]);
  // They connect first, in their own time.
  await expect.poll(busy).toBe(2);
  const outcomes = await Promise.all(reads);
  expect(outcomes.filter((one) => one === "read").length).toBeGreaterThanOrEqual(2);
  expect(new Set(outcomes)).toEqual(new Set(["read", "database_timeout"]));
});

test("a peer's statement is ended after five seconds, and its connection serves on", { timeout: 20_000 }, async () => {
  await expect(slowly(8)).rejects.toMatchObject({ code: "database_timeout" });
  expect(await slowly(0)).toHaveLength(1);
});
