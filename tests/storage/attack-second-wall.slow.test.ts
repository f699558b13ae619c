import { newId } from "@mosaicstack/foundation";
import { openTestStore } from "@mosaicstack/harness";
import type { PeerBounds, Store } from "@mosaicstack/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let store: Store;
const [ada, bob] = [newId(), newId()];
const bounds: PeerBounds = { subjectUserId: ada, personal: true, teams: "all", resources: ["tasks"] };

beforeEach(async () => {
  store = await openTestStore({ vector: true });
  for (const id of [ada, bob]) {
    await store.query("insert into users (id, name, email) values ($1, 'x', $2)", [id, `${id}@example.org`]);
    await store.query(
      "insert into tasks (id, owner_id, title, created_at, updated_at) values ($1, $2, 'x', now(), now())",
      [newId(), id],
    );
  }
});
afterEach(() => store.close());

async function run(statements: string): Promise<void> {
  await store.query(`do $run$ begin ${statements.trim().replace(/;$/, "")};\nend $run$`, []);
}

/** What a peer's read sees by a statement without a filter of its own; refused where the wall was seen to be down. */
async function seen(): Promise<unknown> {
  await store.checkSecondWall().catch(() => undefined);
  return await store
    .readAsPeer(bounds, (read) => read.query<{ owner: string }>("select owner_id as owner from tasks order by id", []))
    .then(
      (rows) => rows.map(({ owner }) => owner),
      (error: unknown) => (error as { readonly code: string }).code,
    );
}
/** Each is right; twice the own row where it has an heir. */
const HELD = [[ada], [ada, ada], "peer_reader_unavailable"];

describe("what takes the second wall away is held off or seen by the next look:", () => {
  test.each([
    [
      "a view of the same name in a schema that the search path has first",
      `create schema early; create view early.tasks as select * from public.tasks;
       grant usage on schema early to mosaic_peer_reader; grant select on early.tasks to mosaic_peer_reader;
       perform set_config('search_path', 'early, public', false)`,
    ],
    [
      "the column that bounds go by, made of something else",
      `alter table tasks disable trigger all; alter table tasks alter column space_id drop expression;
       update tasks set space_id = '${ada}'`,
    ],
    ["the right to read all data", "grant pg_read_all_data to mosaic_peer_reader"],
    [
      "the tables' owner's rights, by membership through another role",
      "create role between; grant postgres to between; grant between to mosaic_peer_reader",
    ],
    ["a reader that bypasses row security", "alter role mosaic_peer_reader bypassrls"],
    [
      "a table that others' rows were moved to, as its heir",
      "create table more () inherits (tasks); insert into more (id, owner_id, title, created_at, updated_at) select gen_random_uuid(), owner_id, title, created_at, updated_at from only tasks",
    ],
    [
      "a table in its place",
      "alter table tasks rename to former; create view tasks as select * from former; grant select (id, owner_id, team_id, space_id, key, properties, created_at, updated_at, title, description, status, due_at) on tasks to mosaic_peer_reader",
    ],
    [
      "bounds that the database has for everybody",
      "execute format('alter database %I set mosaic.peer_spaces = %L', current_database(), '{' || (select string_agg(id::text, ',') from users) || '}')",
    ],
    [
      "rights by default to what is made later",
      "alter default privileges grant select on tables to public; create table later as select * from tasks",
    ],
  ])("%s", async (_, spoil) => {
    expect(await seen()).toEqual([ada]);
    await run(spoil);
    expect(HELD).toContainEqual(await seen());
  });
});

test("a look isn't blinded by a function that is a better match than the server's own", async () => {
  await run("grant select (sealed_secret) on credentials to mosaic_peer_reader");
  await run(
    "create function public.concat_ws(text, text, text) returns text language sql return replace($2, ', sealed_secret', '')",
  );
  await expect(store.checkSecondWall()).rejects.toMatchObject({ code: "peer_reader_unavailable" });
});

test("a look sees a table that was hidden from it among an extension's", async () => {
  await run("grant select on sessions to public; alter extension pg_trgm add table sessions");
  await expect(store.checkSecondWall()).rejects.toMatchObject({ code: "peer_reader_unavailable" });
});

test("a look sees that the reader has the rights of the tables' owner by owning the database", async () => {
  for (const table of ["tasks", "notes", "memories", "credentials", "teams", "team_members", "users"])
    await run(`alter table ${table} owner to pg_database_owner`);
  await run(`alter function set_peer_bounds owner to pg_database_owner; alter function peer_spaces() owner to pg_database_owner;
    alter function peer_spaces(text) owner to pg_database_owner`);
  await run("execute format('alter database %I owner to mosaic_peer_reader', current_database())");
  expect(HELD).toContainEqual(await seen());
});

describe("a wall that stands is not taken for one that doesn't:", () => {
  test.each([
    ["identifiers that are all quoted when printed", "perform set_config('quote_all_identifiers', 'on', false)"],
    ["a search path without the server's own first", "perform set_config('search_path', 'public, pg_catalog', false)"],
    [
      "a search path with another schema",
      "create schema other; perform set_config('search_path', 'other, public', false)",
    ],
    ["no search path", "perform set_config('search_path', '', false)"],
    [
      "dates and bytes as others print them",
      "perform set_config('bytea_output', 'escape', false), set_config('datestyle', 'german', false)",
    ],
    ["strings without standard conforming", "perform set_config('standard_conforming_strings', 'off', false)"],
  ])("%s", async (_, setting) => {
    await run(setting);
    expect(await store.checkSecondWall()).toBeUndefined();
  });
});
