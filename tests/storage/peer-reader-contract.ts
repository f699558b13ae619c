import { AsyncLocalStorage } from "node:async_hooks";
import { newId } from "@mosaicstack/foundation";
import { everythingOf, findResource, listRows } from "@mosaicstack/resources";
import type { PeerBounds, PeerReadStore, Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

/** Runs as another request would, whatever transaction the caller is in. */
const outside = AsyncLocalStorage.snapshot();

/** What the peers' role may read, by table; of every other table nothing. */
const READABLE: Readonly<Record<string, readonly string[] | "all but what is said" | undefined>> = {
  users: ["id", "name"],
  team_members: ["team_id", "user_id"],
  teams: "all but what is said",
  tasks: "all but what is said",
  notes: "all but what is said",
  memories: "all but what is said",
  credentials: "all but what is said",
};
const NEVER = ["sealed_secret", "search_document"];

/**
 * What a peer's read can't do and leaves nothing of, whatever engine is below.
 *
 * @param open a federated gateway's store, on few connections, so that each is used by many
 */
export function peerReaderContract(open: () => Promise<Store>): void {
  let store: Store;
  const [ada, bob] = [newId(), newId()];
  const tasks = findResource("tasks")!;
  const boundsOf = (subjectUserId: string): PeerBounds => ({
    subjectUserId,
    personal: true,
    teams: "all",
    resources: ["tasks"],
  });
  const owners = (read: Pick<PeerReadStore, "query">) =>
    read
      .query<{ owner: string }>("select distinct owner_id as owner from tasks", [])
      .then((found) => found.map(({ owner }) => owner));

  beforeAll(async () => {
    store = await open();
    for (const id of [ada, bob]) await addPerson(id);
  });
  afterAll(() => store.close());

  async function addPerson(id: string): Promise<void> {
    await store.query("insert into users (id, name, email) values ($1, 'x', $2)", [id, `${id}@example.org`]);
    await store.query(
      "insert into tasks (id, owner_id, title, created_at, updated_at) values ($1, $2, 'x', now(), now())",
      [newId(), id],
    );
  }

  /** What a connection is left as, of several asked at once. */
  async function traces(): Promise<readonly unknown[]> {
    const trace = `select current_user = session_user as oneself, coalesce(current_setting('mosaic.peer_spaces', true), '') as spaces,
      coalesce(current_setting('mosaic.peer_resources', true), '') as resources,
      current_setting('transaction_read_only') as read_only, current_setting('transaction_isolation') as isolation`;
    const found = await Promise.all(Array.from({ length: 6 }, () => store.query(trace, [])));
    return [...new Set(found.flat().map((one) => JSON.stringify(one)))].map((one) => JSON.parse(one) as unknown);
  }
  const CLEAN = [{ oneself: true, spaces: "", resources: "", read_only: "off", isolation: "read committed" }];
  // Whatever a test did: nothing of it is left on any connection, and the next peer's read and native one are right.
  afterEach(async () => {
    expect(await traces()).toEqual(CLEAN);
    expect(await store.readAsPeer(boundsOf(bob), owners)).toEqual([bob]);
    expect((await owners(store)).length).toBeGreaterThanOrEqual(2);
  });

  async function refusal(work: Promise<unknown>): Promise<unknown> {
    return await work.then(
      (answer) => {
        throw new Error(`it answered ${JSON.stringify(answer)}`);
      },
      (error: unknown) => error,
    );
  }
  const refused = async (statement: string) =>
    refusal(store.readAsPeer(boundsOf(ada), (read) => read.query(statement, [])));

  describe("a peer's read", () => {
    test("is one of a role that isn't a superuser, bypasses nothing and can't sign in", async () => {
      const [role] = await store.readAsPeer(boundsOf(ada), (read) =>
        read.query(
          `select current_user::text as name, rolsuper, rolbypassrls, rolcanlogin, rolinherit, rolcreaterole, rolcreatedb
           from pg_roles where rolname = current_user`,
          [],
        ),
      );
      const no = {
        rolsuper: false,
        rolbypassrls: false,
        rolcanlogin: false,
        rolinherit: false,
        rolcreaterole: false,
        rolcreatedb: false,
      };
      expect(role).toEqual({ name: "mosaic_peer_reader", ...no });
    });

    test("sees the subject's rows by a statement that has no filter of its own", async () => {
      expect(await owners(store)).toEqual(expect.arrayContaining([ada, bob]));
      expect(await store.readAsPeer(boundsOf(ada), owners)).toEqual([ada]);
      expect(await store.readAsPeer({ ...boundsOf(ada), personal: false }, owners)).toEqual([]);
      expect(await store.readAsPeer({ ...boundsOf(ada), resources: ["notes"] }, owners)).toEqual([]);
      expect(await store.readAsPeer({ ...boundsOf(ada), resources: [] }, owners)).toEqual([]);
      expect(await store.readAsPeer(boundsOf(newId()), owners)).toEqual([]);
    });

    test("sees nothing where no bounds were set, in any table that has policies", async () => {
      await store.transaction(async (db) => {
        await db.execute("set local role mosaic_peer_reader");
        for (const table of ["tasks", "notes", "memories", "credentials", "teams", "team_members"]) {
          const some = (await db.execute(`select 1 as one from ${table}`)) as { readonly rows: unknown[] };
          expect([table, some.rows]).toEqual([table, []]);
        }
      });
    });

    test("can't write, not even as the ordinary role it finds candidates as", async () => {
      for (const statement of [
        "delete from tasks",
        "update tasks set title = 'taken'",
        "create temporary table mine (id int)",
      ]) {
        expect(await refused(statement)).toMatchObject({ code: "25006" });
        const asOrdinary = store.readAsPeer(boundsOf(ada), (read) => read.findCandidates(statement, []));
        expect(await refusal(asOrdinary)).toMatchObject({ code: "25006" });
      }
      // Nor would it be allowed to in a transaction that isn't READ ONLY.
      const may = await store.query(
        `select relname from pg_class where relnamespace = 'public'::regnamespace
         and has_table_privilege('mosaic_peer_reader', oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')`,
        [],
      );
      expect(may).toEqual([]);
    });

    test("reads the columns it is given, and of other tables nothing", async () => {
      const columns = await store.query<{ table: string; column: string }>(
        `select relname as "table", attname as "column" from pg_class join pg_attribute on attrelid = pg_class.oid
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and attnum > 0 and not attisdropped`,
        [],
      );
      expect(columns.length).toBeGreaterThan(150);
      expect(columns.map(({ column }) => column)).toEqual(expect.arrayContaining([...NEVER]));
      const wrong: string[] = [];
      for (const { table, column } of columns) {
        const rule = READABLE[table];
        const isReadable =
          rule !== undefined && !NEVER.includes(column) && (typeof rule === "string" || rule.includes(column));
        const [may] = await store.query<{ may: boolean }>(
          "select has_column_privilege('mosaic_peer_reader', $1::text, $2::text, 'SELECT') as may",
          [table, column],
        );
        if (may?.may !== isReadable) wrong.push(`${table}.${column}`);
      }
      expect(wrong).toEqual([]);
      expect(await refused("select sealed_secret from credentials")).toMatchObject({ code: "42501" });
      expect(await refused("select email from users")).toMatchObject({ code: "42501" });
      expect(await refused("select token from sessions")).toMatchObject({ code: "42501" });
      expect(await refused("select model from embeddings")).toMatchObject({ code: "42501" });
    });

    test("gives the same rows for one text as its statement prepared natively before, and natively again after", async () => {
      for (let turn = 0; turn < 8; turn += 1) {
        expect(await owners(store)).toEqual(expect.arrayContaining([ada, bob]));
        expect(await store.readAsPeer(boundsOf(turn % 2 === 0 ? ada : bob), owners)).toEqual([
          turn % 2 === 0 ? ada : bob,
        ]);
      }
    });

    test("finds candidates past the wall, and reads them through it", async () => {
      const found = await store.readAsPeer(boundsOf(ada), async (read) => {
        const all = await read.findCandidates<{ id: string; me: boolean }>(
          "select id, current_user = session_user as me from tasks",
          [],
        );
        expect(new Set(all.map(({ me }) => me))).toEqual(new Set([true]));
        const rows = await read.query<{ owner: string }>(
          "select owner_id as owner from tasks where id = any($1::uuid[])",
          [all.map(({ id }) => id)],
        );
        return { all: all.length, rows };
      });
      expect(found.all).toBeGreaterThanOrEqual(2);
      expect(found.rows).toEqual([{ owner: ada }]);
    });

    test("finds no candidates any more once the wall is up", async () => {
      await store.readAsPeer(boundsOf(ada), async (read) => {
        await read.query("select 1", []);
        await expect(read.findCandidates("select id from tasks", [])).rejects.toThrow("before the wall is up");
        const together = await Promise.allSettled([
          read.query("select 1", []),
          read.findCandidates("select id from tasks", []),
        ]);
        expect(together.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
      });
    });

    test("sees one state of the database in all its statements", async () => {
      const late = newId();
      const [before, after] = await store.readAsPeer(boundsOf(late), async (read) => {
        const first = await owners(read);
        // PGlite has one connection: there the write waits.
        if (store.engine === "postgres") await outside(() => addPerson(late));
        return [first, await owners(read)];
      });
      expect([before, after]).toEqual([[], []]);
    });

    test("answers the same to what is asked as its last, and holds what follows behind the same wall", async () => {
      const seen = await store.readAsPeer(boundsOf(ada), async (read) => [
        await owners(read.last),
        await owners(read.last),
        await owners(read),
        await owners(read.last),
        ...(await Promise.all([owners(read.last), owners(read), owners(read.last)])),
      ]);
      expect(seen).toEqual(Array.from({ length: 7 }, () => [ada]));
    });

    test("writes nothing by what is asked as its last, nor by what follows", async () => {
      const write = "update tasks set title = 'taken'";
      for (const before of [[], [1], [1, 2]]) {
        const work = store.readAsPeer(boundsOf(ada), async (read) => {
          for (const _ of before) await owners(read.last);
          await read.last.query(write, []);
        });
        expect(await refusal(work)).toMatchObject({ code: expect.stringMatching(/^(25006|42501)$/) as string });
      }
    });

    test("refuses the store itself inside, and its own use after its end", async () => {
      let kept: PeerReadStore | undefined;
      await store.readAsPeer(boundsOf(ada), async (read) => {
        kept = read;
        await expect(store.query("select 1", [])).rejects.toThrow("inside its own transaction");
        await expect(store.readAsPeer(boundsOf(ada), owners)).rejects.toThrow("inside its own transaction");
      });
      await expect(kept!.query("select 1", [])).rejects.toThrow("after its end");
      await expect(kept!.findCandidates("select 1", [])).rejects.toThrow("after its end");
      await expect(kept!.last.query("select 1", [])).rejects.toThrow("after its end");
    });

    test.each([
      ["a subject that isn't an id", { subjectUserId: "' or true --" }],
      ["a team that isn't an id", { teams: ["all"] }],
      ["a resource that isn't a table's name", { resources: ["tasks}',true"] }],
    ])("refuses %s, and reads nothing", async (_, wrong) => {
      let asked = false;
      const read = store.readAsPeer({ ...boundsOf(ada), ...wrong }, async () => {
        asked = true;
        return await Promise.resolve();
      });
      await expect(read).rejects.toThrow("bounds of a peer's read");
      expect(asked).toBe(false);
    });
  });

  // What each leaves is looked at after each test.
  describe("role and bounds are gone after", () => {
    test("work that throws", async () => {
      const work = store.readAsPeer(boundsOf(ada), async (read) => {
        await owners(read);
        throw new Error("changed its mind");
      });
      await expect(work).rejects.toThrow("changed its mind");
    });

    test("work that throws before it reads, and work that never reads", async () => {
      await expect(store.readAsPeer(boundsOf(ada), () => Promise.reject(new Error("at once")))).rejects.toThrow(
        "at once",
      );
      expect(await store.readAsPeer(boundsOf(ada), () => Promise.resolve(7))).toBe(7);
    });

    test("a last statement, work that throws after it, and work that doesn't wait for it", async () => {
      expect(await store.readAsPeer(boundsOf(ada), (read) => owners(read.last))).toEqual([ada]);
      const thrown = store.readAsPeer(boundsOf(ada), async (read) => {
        await owners(read.last);
        throw new Error("changed its mind");
      });
      await expect(thrown).rejects.toThrow("changed its mind");
      let late: Promise<unknown> = Promise.resolve();
      await store.readAsPeer(boundsOf(ada), (read) => {
        late = read.last.query("select pg_sleep(0.1), count(*) from tasks", []);
        return Promise.resolve();
      });
      expect(await late).toMatchObject([{ count: "1" }]);
    });

    test("a last statement that fails, and one after it", async () => {
      const failing = "select 1 / 0";
      const work = store.readAsPeer(boundsOf(ada), (read) => read.last.query(failing, []));
      expect(await refusal(work)).toMatchObject({ code: "22012" });
      await store.readAsPeer(boundsOf(ada), async (read) => {
        await read.last.query(failing, []).catch(() => undefined);
        // In a transaction of its own, or in one that has failed: never without the wall.
        const after = await owners(read.last).catch((error: unknown) => (error as { code: unknown }).code);
        expect([[ada], "25P02"]).toContainEqual(after);
      });
    });

    test("a statement that fails", async () => {
      expect(await refused("select * from nowhere")).toMatchObject({ code: "42P01" });
      expect(await refused("select 1 / 0")).toMatchObject({ code: "22012" });
    });

    test("a statement that fails and is passed over", async () => {
      const answer = await store.readAsPeer(boundsOf(ada), async (read) => {
        await read.query("select 1 / 0", []).catch(() => undefined);
        // The transaction is over: what follows fails, it doesn't run without the wall.
        return await owners(read).catch((error: unknown) => error);
      });
      expect(answer).toMatchObject({ code: "25P02" });
    });

    test("candidates that fail", async () => {
      const work = store.readAsPeer(boundsOf(ada), async (read) => {
        await read.findCandidates("select 1 / 0", []).catch(() => undefined);
        return await owners(read);
      });
      expect(await refusal(work)).toMatchObject({ code: "25P02" });
    });

    test("work that ends before its statement does", async () => {
      let late: Promise<unknown> = Promise.resolve();
      const work = store.readAsPeer(boundsOf(ada), async (read) => {
        late = read.query("select pg_sleep(0.2), count(*) from tasks", []);
        await Promise.resolve();
        throw new Error("no more time");
      });
      await expect(work).rejects.toThrow("no more time");
      expect(await late).toMatchObject([{ count: "1" }]);
    });

    test("fifty subjects at once on few connections, writes and failures among them: each sees its own", async () => {
      const people = Array.from({ length: 50 }, () => newId());
      for (const person of people) await addPerson(person);
      const seen = await Promise.all(
        people.flatMap((person, index) => [
          store.readAsPeer(boundsOf(person), async (read) => {
            const list = await listRows(
              index % 2 === 0 ? read : read.last,
              tasks,
              everythingOf(person),
              { limit: 100 },
              "federated",
            );
            if (index % 7 === 3) await read.query("select 1 / 0", []).catch(() => undefined);
            else if ((await owners(read)).join() !== person) return ["somebody else's"];
            return (JSON.parse(list.json) as readonly { readonly owner_id: string }[]).map(
              ({ owner_id: owner }) => owner,
            );
          }),
          store
            .readAsPeer(boundsOf(person), (read) =>
              read.findCandidates(`select ${String(index)} / ${String(index % 5)}`, []),
            )
            .then(() => [person])
            .catch(() => [person]),
          store.query("update tasks set title = 'y' where owner_id = $1", [person]).then(() => [person]),
          store.transaction(async (db) => {
            await db.execute("select 1");
            return [person];
          }),
        ]),
      );
      expect(seen).toEqual(people.flatMap((person) => [[person], [person], [person], [person]]));
    });
  });
}
