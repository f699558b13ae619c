import { newId } from "@mosaicstack/foundation";
import { openPostgres, type PeerBounds, type Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RolesDatabase, rolesDatabase } from "./database-roles.ts";

let database: RolesDatabase;
let store: Store;
const [ada, bob] = [newId(), newId()];
const bounds: PeerBounds = { subjectUserId: ada, personal: true, teams: "all", resources: ["tasks"] };
const OWNERS = "select owner_id as owner from tasks order by id";

beforeAll(async () => {
  database = await rolesDatabase();
  store = await openPostgres({ ...database.options, vector: true, poolSize: 2 });
  for (const id of [ada, bob]) {
    await store.query("insert into users (id, name, email) values ($1, 'x', $2)", [id, `${id}@example.org`]);
    await store.query(
      "insert into tasks (id, owner_id, title, created_at, updated_at) values ($1, $2, 'x', now(), now())",
      [newId(), id],
    );
  }
}, 120_000);
afterAll(async () => {
  await store.close();
  await database.drop();
});

const refusal = (work: Promise<unknown>) =>
  work.then(
    (answer) => ({ answered: answer }),
    (error: unknown) => error,
  );

describe("the read's last statement", () => {
  // Whatever a test did, nothing of it is left.
  afterEach(async () => {
    const trace = `select current_user = session_user as oneself, coalesce(current_setting('mosaic.peer_spaces', true), '') as spaces,
      current_setting('transaction_read_only') as read_only, current_setting('statement_timeout') as clock`;
    const found = (await Promise.all(Array.from({ length: 4 }, () => store.query(trace, [])))).flat();
    expect(new Set(found.map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify({ oneself: true, spaces: "", read_only: "off", clock: "30s" })]),
    );
    const reads = Array.from({ length: 4 }, () => store.readAsPeer(bounds, (read) => read.last.query(OWNERS, [])));
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 4 }, () => [{ owner: ada }]));
  });

  test("is not followed by candidates: the wall, once up, doesn't come down again", async () => {
    await store.readAsPeer(bounds, async (read) => {
      await read.last.query(OWNERS, []);
      await expect(read.findCandidates(OWNERS, [])).rejects.toThrow("before the wall is up");
    });
  });

  test("whose connection is ended leaves nothing, and its turn is free again", async () => {
    for (let turn = 0; turn < 3; turn += 1) {
      const work = refusal(
        store.readAsPeer(bounds, (read) =>
          read.last.query("select pg_sleep(2), pg_backend_pid(), 'kill me' as mark", []),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 300));
      await database.database.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%kill me%' and pid <> pg_backend_pid()",
      );
      expect(await work).toMatchObject({ code: "database_unreachable" });
    }
  });

  test("that is cancelled leaves nothing", async () => {
    const work = refusal(
      store.readAsPeer(bounds, (read) => read.last.query("select pg_sleep(3), 'cancel me' as mark", [])),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await database.database.run(
      "select pg_cancel_backend(pid) from pg_stat_activity where query like '%cancel me%' and pid <> pg_backend_pid()",
    );
    expect(await work).toMatchObject({ code: "database_timeout" });
  });

  test("under fire of cancellations nothing runs on without the wall, and nobody sees another's", async () => {
    const over = new AbortController();
    const fire = async (): Promise<void> => {
      await database.database.run(
        `select pg_cancel_backend(pid) from pg_stat_activity where usename = '${database.runtime.user}'`,
      );
      if (!over.signal.aborted) await fire();
    };
    const firing = fire();
    const seesItsOwn = (someone: string, twice: boolean): Promise<boolean> =>
      store.readAsPeer({ ...bounds, subjectUserId: someone }, async (read) => {
        const first = twice ? await read.last.query<{ owner: string }>(OWNERS, []) : [];
        const together = await Promise.allSettled([
          read.last.query<{ owner: string }>(OWNERS, []),
          read.query<{ owner: string }>(OWNERS, []),
        ]);
        const rows = [...first, ...together.flatMap((one) => (one.status === "fulfilled" ? one.value : []))];
        return rows.every(({ owner }) => owner === someone);
      });
    const seen: boolean[] = [];
    for (let turn = 0; turn < 150; turn += 1) {
      const someone = turn % 2 === 0 ? ada : bob;
      const answers = await Promise.allSettled([seesItsOwn(someone, true), seesItsOwn(someone, false)]);
      seen.push(...answers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
    }
    over.abort();
    await firing;
    expect(seen.length).toBeGreaterThan(20);
    expect(seen.every(Boolean)).toBe(true);
  }, 60_000);

  test("where the reader's role is taken away answers nobody", async () => {
    await database.database.run(`revoke mosaic_peer_reader from ${database.runtime.user}`);
    expect(await refusal(store.readAsPeer(bounds, (read) => read.last.query(OWNERS, [])))).toMatchObject({
      code: "peer_reader_unavailable",
    });
    await database.runScript();
  });

  test("with values that can't be sent fails, and its transaction is over", async () => {
    const bad = {
      toPostgres: () => {
        throw new Error("unsendable");
      },
    };
    expect(
      await refusal(store.readAsPeer(bounds, (read) => read.last.query("select $1::text as a", [bad]))),
    ).toMatchObject({
      message: "unsendable",
    });
  }, 60_000);
});

describe("the next look at the second wall", () => {
  /** What a peer's read sees without a filter of its own, of a gateway that starts now; the code where that is refused. */
  const seen = async (): Promise<unknown> => {
    let fresh: Store | undefined;
    try {
      fresh = await openPostgres({ ...database.options, vector: true, poolSize: 2 });
      const rows = await fresh.readAsPeer(bounds, (read) => read.query<{ owner: string }>(OWNERS, []));
      return rows.map(({ owner }) => owner);
    } catch (error) {
      return (error as { readonly code?: unknown }).code ?? error;
    } finally {
      await fresh?.close();
    }
  };

  test("sees, or reads hold off, a view of a guarded table's name in the schema that `$user` puts first", async () => {
    const undo = "drop schema if exists mosaic_peer_reader cascade";
    await database.runAs("owner", "create schema mosaic_peer_reader");
    await database.runAs("owner", "create view mosaic_peer_reader.tasks as select * from public.tasks");
    await database.runAs("owner", "grant usage on schema mosaic_peer_reader to mosaic_peer_reader");
    await database.runAs("owner", "grant select on mosaic_peer_reader.tasks to mosaic_peer_reader");
    const found = await seen();
    await database.runAs("owner", undo);
    expect([[ada], "peer_reader_unavailable"]).toContainEqual(found);
  });

  test("isn't led astray by a catalogue of the owner's own, put before the server's", async () => {
    const { name } = database.database.address;
    await database.runAs("owner", "alter table tasks disable row level security");
    await database.runAs(
      "owner",
      `create view public.pg_class as select oid, relname, relnamespace, relkind, relowner, true as relrowsecurity from pg_catalog.pg_class`,
    );
    await database.runAs("owner", `grant select on public.pg_class to public`);
    await database.runAs("owner", `alter database ${name} set search_path = public, pg_catalog`);
    const found = await seen();
    await database.runAs("owner", `alter database ${name} reset search_path`);
    await database.runAs("owner", `drop view public.pg_class`);
    await database.runAs("owner", "alter table tasks enable row level security");
    expect([[ada], "peer_reader_unavailable"]).toContainEqual(found);
  });

  test("takes a wall that stands for one, however identifiers are quoted when they are printed", async () => {
    const { name } = database.database.address;
    await database.runAs("owner", `alter database ${name} set quote_all_identifiers = on`);
    const found = await seen();
    await database.runAs("owner", `alter database ${name} reset quote_all_identifiers`);
    expect(found).toEqual([ada]);
  });

  test("or reads fail, where row security is set to refuse what it would filter", async () => {
    const { name } = database.database.address;
    await database.runAs("owner", `alter database ${name} set row_security = off`);
    const found = await seen();
    await database.runAs("owner", `alter database ${name} reset row_security`);
    expect(["42501", "peer_reader_unavailable"]).toContainEqual(found);
  });

  test("sees a function of the owner's that a peer's statement would rather take than the server's own", async () => {
    await database.runAs(
      "owner",
      `create function public.json_build_object(text, uuid) returns json language sql security definer
         return (select json_agg(owner_id) from public.tasks)`,
    );
    let found: unknown;
    let fresh: Store | undefined;
    try {
      fresh = await openPostgres({ ...database.options, vector: true, poolSize: 2 });
      const statement = "select json_build_object('id'::text, id)::text as json from tasks";
      const rows = await fresh.readAsPeer(bounds, (read) => read.query<{ json: string }>(statement, []));
      found = rows.some(({ json }) => json.includes(bob)) ? "it has another's row" : "held";
    } catch (error) {
      found = (error as { readonly code?: unknown }).code ?? error;
    } finally {
      await fresh?.close();
      await database.runAs("owner", "drop function public.json_build_object(text, uuid)");
    }
    expect(["held", "peer_reader_unavailable"]).toContainEqual(found);
  });
});
