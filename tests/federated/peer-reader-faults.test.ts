import { AsyncLocalStorage } from "node:async_hooks";
import { newId, type Problem } from "@mosaicstack/foundation";
import { openPostgres, type PeerBounds, type PeerReadStore, type Store } from "@mosaicstack/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RolesDatabase, rolesDatabase } from "./database-roles.ts";

const outside = AsyncLocalStorage.snapshot();
const bounds: PeerBounds = { subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] };
/** The one connection there is. */
const SELF = `select pg_backend_pid() as pid, current_user::text as name, coalesce(current_setting('mosaic.peer_spaces', true), '') as spaces,
  current_setting('transaction_read_only') as "readOnly"`;

interface Self {
  readonly pid: number;
  readonly name: string;
  readonly spaces: string;
  readonly readOnly: string;
}

// What every peer's read does to the connection it had, when something goes wrong with it.
describe("a peer's read on the only connection of a pool", () => {
  let roles: RolesDatabase;
  let store: Store;
  let pid: number;
  beforeEach(async () => {
    roles = await rolesDatabase();
    store = await openPostgres({ ...roles.options, vector: true, poolSize: 1, statementTimeoutMs: 400 });
    pid = (await self()).pid;
  });
  afterEach(async () => {
    await store.close();
    await roles.drop();
  });

  async function self(): Promise<Self> {
    const [found] = await store.query<Self>(SELF, []);
    return found!;
  }
  const cleanSelf = { name: expect.stringMatching(/^runtime_/) as string, spaces: "", readOnly: "off" };
  const during = (kill: "pg_cancel_backend" | "pg_terminate_backend"): Promise<unknown> =>
    outside(() => roles.database.run(`select ${kill}(${pid})`));
  const read = <Result>(work: (walled: PeerReadStore) => Promise<Result>): Promise<Result> =>
    store.readAsPeer(bounds, work);
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  const asked = [
    ["asked as one of many", (walled: PeerReadStore, sql: string) => walled.query(sql, [])],
    ["asked as its last", (walled: PeerReadStore, sql: string) => walled.last.query(sql, [])],
  ] as const;

  test.each(asked)("that takes too long is ended, and leaves the connection as it was: %s", async (_, ask) => {
    const slow = read((walled) => ask(walled, "select pg_sleep(5)"));
    await expect(slow).rejects.toMatchObject({ code: "database_timeout" });
    expect(await self()).toEqual({ pid, ...cleanSelf });
  });

  test.each(asked)("that is cancelled leaves the connection as it was: %s", async (_, ask) => {
    const slow = read((walled) => ask(walled, "select pg_sleep(5)"));
    const code = slow.catch((error: unknown) => (error as Problem).code);
    await sleep(100);
    await during("pg_cancel_backend");
    expect(await code).toBe("database_timeout");
    expect(await self()).toEqual({ pid, ...cleanSelf });
  });

  test.each(asked)("whose connection is lost fails, and the pool has another: %s", async (_, ask) => {
    const slow = read((walled) => ask(walled, "select pg_sleep(5)"));
    const code = slow.catch((error: unknown) => (error as Problem).code);
    await sleep(100);
    await during("pg_terminate_backend");
    expect(await code).toBe("database_unreachable");
    const after = await self();
    expect(after).toMatchObject(cleanSelf);
    expect(after.pid).not.toBe(pid);
  });

  test.each([
    ["COMMIT", (): string => "read"],
    [
      "ROLLBACK",
      (): string => {
        throw new Error("changed its mind");
      },
    ],
  ])("whose %s fails gives the connection up", async (_, end) => {
    const work = read(async (walled) => {
      await walled.query("select 1", []);
      await during("pg_terminate_backend");
      await sleep(100);
      return end();
    });
    expect(await work.catch((error: unknown) => (error as Error).message)).toBe(
      _ === "COMMIT" ? "read" : "changed its mind",
    );
    const after = await self();
    expect(after).toMatchObject(cleanSelf);
    expect(after.pid).not.toBe(pid);
  });

  test("that idles too long loses the connection, and nobody gets it", async () => {
    await read(async (walled) => {
      await walled.query("select 1", []);
      await sleep(800);
    });
    const after = await self();
    expect(after).toMatchObject(cleanSelf);
    expect(after.pid).not.toBe(pid);
  });

  test.each(asked)(
    "whose wall can't be raised runs no statement at all, the transaction has failed before it: %s",
    async (_, ask) => {
      await roles.runAs("owner", "revoke execute on function set_peer_bounds from mosaic_peer_reader");
      // A lock of the session would outlive the transaction.
      const tried = read((walled) => ask(walled, "select pg_advisory_lock(4711)"));
      await expect(tried).rejects.toMatchObject({ code: "peer_reader_unavailable" });
      expect(await roles.database.run("select from pg_locks where locktype = 'advisory' and objid = 4711")).toEqual([]);
      expect(await self()).toEqual({ pid, ...cleanSelf });
    },
  );

  test("has its statements prepared once, under names that native ones don't share", async () => {
    const text = "select count(*)::int4 as count from tasks";
    for (let turn = 0; turn < 3; turn += 1) {
      await store.query(text, []);
      await read((walled) => walled.query(text, []));
    }
    const prepared = await store.query<{ name: string }>(
      "select left(name, 1) as name from pg_prepared_statements where statement = $1 order by 1",
      [text],
    );
    expect(prepared).toEqual([{ name: "m" }, { name: "p" }]);
  });
});
