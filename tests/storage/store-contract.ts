import { newId } from "@mosaicstack/foundation";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { constraintViolation, databaseProblem, schema, type Store } from "@mosaicstack/storage";

/** What every store does, whatever engine is below. `open` gives a fresh, empty, migrated one each time. */
export function storeContract(open: () => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(() => store.close());

  const person = () => ({ id: newId(), name: "Ada", email: `${newId()}@example.org` });
  const countOf = async (id: string) => (await store.query("select 1 from users where id = $1", [id])).length;

  describe("values", () => {
    test("come back in the same types on every engine", async () => {
      const id = newId();
      const [row] = await store.query(
        `select $1::uuid as id, 7::int4 as int4, 7::int2 as int2, 9007199254740993::int8 as int8, 1.10::numeric as "numeric",
           1.5::float8 as float8, true as "bool", 'x'::text as "text", null::text as nothing,
           '{"a":[1,null]}'::jsonb as "jsonb", timestamptz '2026-02-03 04:05:06.789+02' as at,
           timestamp '2026-02-03 04:05:06' as local, date '2026-02-03' as day, array['a','b'] as texts,
           array[1,2]::int4[] as numbers, array[$1::uuid] as ids, json_build_object('a', 1)::text as built`,
        [id],
      );
      expect(row).toEqual({
        id,
        int4: 7,
        int2: 7,
        int8: "9007199254740993",
        numeric: "1.10",
        float8: 1.5,
        bool: true,
        text: "x",
        nothing: null,
        jsonb: { a: [1, null] },
        at: new Date("2026-02-03T02:05:06.789Z"),
        local: "2026-02-03 04:05:06",
        day: "2026-02-03",
        texts: ["a", "b"],
        numbers: [1, 2],
        ids: [id],
        built: '{"a" : 1}',
      });
    });

    test("parameters arrive as they were: text, numbers, dates, null, lists, non-ASCII", async () => {
      const at = new Date("2026-02-03T04:05:06.789Z");
      const texts = ["żółć 漢字 🦊", 'quote " and \\ and {brace}', ""];
      const [row] = await store.query(
        "select $1::text as a, $2::int4 as b, $3::timestamptz as c, $4::text as d, $5::text[] as e, $6::bool as f, $7::jsonb as g",
        [texts[0], -3, at, null, texts, false, '{"k":"ü"}'],
      );
      expect(row).toEqual({ a: texts[0], b: -3, c: at, d: null, e: texts, f: false, g: { k: "ü" } });
    });

    test("letters beyond ASCII have a case", async () => {
      expect(await store.query("select lower('ŻÓŁĆ É') as low, 'Ż' ilike 'ż' as alike", [])).toEqual([
        { low: "żółć é", alike: true },
      ]);
    });

    test("times are told in UTC, also where SQL makes the text", async () => {
      const [row] = await store.query<{ zone: string; text: string }>(
        `select current_setting('TimeZone') as zone, to_json(timestamptz '2026-02-03 04:05:06.789+02') #>> '{}' as text`,
        [],
      );
      expect(row).toEqual({ zone: "UTC", text: "2026-02-03T02:05:06.789+00:00" });
    });

    test("drizzle reads back what it wrote", async () => {
      const owner = person();
      await store.db.insert(schema.users).values(owner);
      const task = {
        id: newId(),
        ownerId: owner.id,
        title: "żółw",
        properties: { tags: ["a"], deep: { n: 1.5, none: null } },
        createdAt: new Date("2026-02-03T04:05:06.789Z"),
        updatedAt: new Date("2026-02-03T04:05:06.789Z"),
      };
      await store.db.insert(schema.tasks).values(task);
      const row = await store.db.query.tasks.findFirst({ where: (tasks, { eq }) => eq(tasks.id, task.id) });
      expect(row).toMatchObject({ ...task, teamId: null, spaceId: owner.id, status: "open" });
    });

    test("the same statement with other parameters answers them", async () => {
      for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) {
        expect(await store.query("select $1::int4 * 2 as double", [number])).toEqual([{ double: number * 2 }]);
      }
    });
  });

  describe("transactions", () => {
    test("keep everything or nothing", async () => {
      const [kept, dropped] = [person(), person()];
      const result = await store.transaction(async (db) => {
        await db.insert(schema.users).values(kept);
        return 7;
      });
      expect(result).toBe(7);
      const failure = new Error("changed my mind");
      const work = store.transaction(async (db) => {
        await db.insert(schema.users).values(dropped);
        throw failure;
      });
      await expect(work).rejects.toBe(failure);
      expect([await countOf(kept.id), await countOf(dropped.id)]).toEqual([1, 0]);
    });

    test("one inside another rolls back alone", async () => {
      const [outer, inner] = [person(), person()];
      await store.transaction(async (db) => {
        await db.insert(schema.users).values(outer);
        const nested = db.transaction(async (savepoint) => {
          await savepoint.insert(schema.users).values(inner);
          throw new Error("inner");
        });
        await expect(nested).rejects.toThrow("inner");
      });
      expect([await countOf(outer.id), await countOf(inner.id)]).toEqual([1, 0]);
    });

    test("refuse the store itself inside, instead of waiting for themselves", async () => {
      const misuse = /used inside its own transaction/;
      await store.transaction(async (db) => {
        await expect(store.query("select 1", [])).rejects.toThrow(misuse);
        await expect(store.transaction(() => Promise.resolve())).rejects.toThrow(misuse);
        await expect(store.db.transaction(() => Promise.resolve())).rejects.toThrow(misuse);
        const wrapped: unknown = await store.db
          .select()
          .from(schema.teams)
          .catch((error: unknown) => error);
        expect((wrapped as Error).cause).toMatchObject({ message: expect.stringMatching(misuse) as string });
        await db.execute("select 1");
      });
      expect(await store.query("select 1 as one", [])).toEqual([{ one: 1 }]);
    });

    test("let work that outlives them use the store", async () => {
      let later: Promise<unknown> = Promise.resolve();
      await store.transaction(async (db) => {
        await db.execute("select 1");
        later = new Promise((resolve) => setTimeout(resolve, 50)).then(() => store.query("select 1 as one", []));
      });
      expect(await later).toEqual([{ one: 1 }]);
    });

    test("run side by side without mixing", async () => {
      const people = Array.from({ length: 12 }, person);
      await Promise.all(
        people.map((one, index) =>
          store
            .transaction(async (db) => {
              await db.insert(schema.users).values(one);
              await db.execute("select 1");
              if (index % 2 === 1) throw new Error("odd");
            })
            .catch(() => undefined),
        ),
      );
      const counts = await Promise.all(people.map(({ id }) => countOf(id)));
      expect(counts).toEqual(people.map((_, index) => (index % 2 === 0 ? 1 : 0)));
    });
  });

  describe("faults", () => {
    const faultOf = (work: Promise<unknown>) =>
      work.then(
        () => undefined,
        (error: unknown) => error,
      );

    test("a duplicate is a unique violation by name, through drizzle and in a transaction", async () => {
      const one = person();
      await store.db.insert(schema.users).values(one);
      const again = { ...person(), email: one.email };
      const expected = { kind: "unique", name: "users_email_unique" };
      expect(constraintViolation(await faultOf(store.db.insert(schema.users).values(again).execute()))).toEqual(
        expected,
      );
      const inside = await faultOf(store.transaction((db) => db.insert(schema.users).values(again)));
      expect(constraintViolation(inside)).toEqual(expected);
      expect(databaseProblem(inside)).toBeUndefined();
    });

    test("a row without a space, without its owner, without a value", async () => {
      const at = new Date();
      const task = (extra: object) => ({ id: newId(), title: "t", createdAt: at, updatedAt: at, ...extra });
      const write = async (extra: object) =>
        constraintViolation(await faultOf(store.db.insert(schema.tasks).values(task(extra)).execute()));
      expect(await write({})).toEqual({ kind: "check", name: "tasks_has_a_space" });
      expect(await write({ ownerId: newId() })).toEqual({ kind: "foreign_key", name: "tasks_owner_id_users_id_fk" });
      const nameless = store.query("insert into teams (id, name) values ($1, null)", [newId()]);
      expect(constraintViolation(await faultOf(nameless))).toEqual({ kind: "not_null", name: "name" });
    });

    test("a statement that fails leaves the store working", async () => {
      await expect(store.query("select * from nowhere", [])).rejects.toThrow("nowhere");
      await expect(store.query("select $1::int4", ["not a number"])).rejects.toThrow("not a number");
      await expect(store.query("select 1 / $1::int4", [0])).rejects.toThrow("division by zero");
      expect(await store.query("select 6 / $1::int4 as two", [3])).toEqual([{ two: 2 }]);
    });
  });

  describe("closing", () => {
    test("waits for what runs, and may be asked twice", async () => {
      const other = await open();
      let finished = false;
      const running = other.transaction(async (db) => {
        await db.execute("select 1");
        await new Promise((resolve) => setTimeout(resolve, 100));
        await db.execute("select 2");
        finished = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await Promise.all([other.close(), other.close()]);
      expect(finished).toBe(true);
      await running;
      await expect(other.query("select 1", [])).rejects.toThrow(/closed/);
    });
  });
}
