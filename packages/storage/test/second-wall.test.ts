import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openTestStore } from "@mosaicstack/harness";
import { newId, Problem } from "@mosaicstack/foundation";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../src/index.ts";
import { WALL } from "../src/peer-reader/wall.ts";
import { GUARDED_TABLES, readWallParts } from "../src/peer-reader/wall-parts.ts";

const MIGRATION = join(import.meta.dirname, "../src/peer-reader-migrations/0000_second_wall.sql");

let store: Store;
beforeAll(async () => {
  store = await openTestStore({ vector: true });
});
afterAll(() => store.close());

/** Several statements as one, since PGlite prepares what drizzle sends. */
async function run(statements: string): Promise<void> {
  await store.db.execute(sql.raw(`do $run$ begin ${statements.trim().replace(/;$/, "")};\nend $run$`));
}

/** As the next start does it, once the journal was emptied. */
async function makeAnew(): Promise<void> {
  for (const statement of (await readFile(MIGRATION, "utf8")).split("--> statement-breakpoint")) await run(statement);
}

async function fault(): Promise<Problem> {
  const error: unknown = await store.checkSecondWall().then(
    () => new Error("the wall stands"),
    (refusal: unknown) => refusal,
  );
  if (error instanceof Problem && error.code === "peer_reader_unavailable") return error;
  throw error;
}

const readSomething = () =>
  store.readAsPeer({ subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] }, (read) =>
    read.query("select 1 as one from tasks", []),
  );

describe("what the migrations make", () => {
  test("is what a gateway's database is compared with, part by part", async () => {
    expect(
      new Map((await readWallParts((text, values) => store.query(text, values))).map(({ part, is }) => [part, is])),
    ).toEqual(new Map(WALL));
  });

  test("is on each guarded table row security, a policy of native use and one of bounds, and what of it may be read", () => {
    for (const table of GUARDED_TABLES) {
      expect([table, WALL.get(`row security of ${table}`)]).toEqual([table, "on"]);
      expect(WALL.get(`policy native_use of ${table}`)).toMatch(/^permissive for \* to everybody using true /);
      expect(WALL.get(`policy peer_bounds of ${table}`)).toMatch(/^restrictive for \* to mosaic_peer_reader using /);
      expect(WALL.get(`policy peer_bounds of ${table}`)).toMatch(/ of .*public\.peer_spaces\(/);
      expect(WALL.get(`access of mosaic_peer_reader to ${table}`)).toBeDefined();
    }
    // What makes the space of those that aren't of teams, the three functions, and what users are called.
    expect(WALL.size).toBe(GUARDED_TABLES.length * 4 + (GUARDED_TABLES.length - 2) + 3 + 1);
  });
});

const BOUNDS_BODY = (condition: string): string => `
  create or replace function set_peer_bounds(subject uuid, personal boolean, every_team boolean, teams uuid[], resources text[]) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
  begin
    perform set_config('mosaic.peer_resources', resources::text, true),
      set_config('mosaic.peer_spaces', array(select team_id from public.team_members where ${condition})::text, true);
  end $$`;

describe("a wall that is not as the migrations make it is found, named, and nothing is read for peers until it was mended:", () => {
  afterEach(async () => {
    expect(await store.checkSecondWall()).toBeUndefined();
    expect(await readSomething()).toEqual([]);
  });

  test.each([
    [
      "a permissive policy more",
      "create policy planted on tasks to mosaic_peer_reader using (true)",
      "policy planted of tasks is none that the migrations make",
    ],
    [
      "a restrictive policy that calls another schema's function of the same name",
      `create schema elsewhere; create function elsewhere.peer_spaces(resource text) returns uuid[] language sql return '{}'::uuid[];
       grant usage on schema elsewhere to mosaic_peer_reader; drop policy peer_bounds on tasks; set search_path = elsewhere, public;
       create policy peer_bounds on tasks as restrictive to mosaic_peer_reader
         using (array_position((select peer_spaces('tasks')), space_id) is not null); set search_path = public`,
      "policy peer_bounds of tasks is not as the migrations make it",
    ],
    [
      "a policy that bounds by another column",
      `drop policy peer_bounds on notes; create policy peer_bounds on notes as restrictive to mosaic_peer_reader
         using (array_position((select peer_spaces('notes')), team_id) is not null)`,
      "policy peer_bounds of notes is not as the migrations make it",
    ],
    [
      "a policy of bounds that is permissive",
      `drop policy peer_bounds on notes; create policy peer_bounds on notes to mosaic_peer_reader
         using (array_position((select peer_spaces('notes')), space_id) is not null)`,
      "policy peer_bounds of notes is not as the migrations make it",
    ],
    [
      "a policy of bounds that is another role's",
      "alter policy peer_bounds on memories to postgres",
      "policy peer_bounds of memories is not as the migrations make it",
    ],
    ["a policy that was dropped", "drop policy peer_bounds on teams", "policy peer_bounds of teams is gone"],
    [
      "native use's policy, without which nobody but the owner reads",
      "drop policy native_use on credentials",
      "policy native_use of credentials is gone",
    ],
    ["row security that is off", "alter table notes disable row level security", "row security of notes is off"],
    [
      "a guarded table whose owner is the reader, whom no policy binds",
      "alter table notes owner to mosaic_peer_reader",
      "row security of notes is not for its owner, who is the reader",
    ],
    [
      "a changed body of the function that sets the bounds",
      BOUNDS_BODY("true"),
      /^function set_peer_bounds\(.*\) is not as the migrations make it$/,
    ],
    [
      "a changed body of a function that policies call",
      "create or replace function peer_spaces() returns uuid[] language sql stable parallel safe return array(select id from public.teams)",
      "function peer_spaces() is not as the migrations make it",
    ],
    [
      "a function that is no longer its owner's",
      "alter function set_peer_bounds security invoker",
      /^function set_peer_bounds\(.*\) is not as the migrations make it$/,
    ],
    [
      "a function whose search path leads elsewhere",
      "alter function set_peer_bounds set search_path = public, pg_catalog",
      /^function set_peer_bounds\(.*\) is not as the migrations make it$/,
    ],
    [
      "a function of somebody else's",
      "create role stranger; grant create on schema public to stranger; alter function set_peer_bounds owner to stranger",
      /^function set_peer_bounds\(.*\) is not as the migrations make it$/,
    ],
    [
      "a function of the same name that the statement would rather take",
      "create function set_peer_bounds(text, boolean, boolean, text, text) returns void language sql return null::void",
      /^function set_peer_bounds\(text, .*\) is none that the migrations make$/,
    ],
    [
      "a column more that may be read",
      "grant select (sealed_secret) on credentials to mosaic_peer_reader",
      "access of mosaic_peer_reader to credentials is not as the migrations make it",
    ],
    [
      "a column less that may be read",
      "revoke select (title) on tasks from mosaic_peer_reader",
      "access of mosaic_peer_reader to tasks is not as the migrations make it",
    ],
    [
      "a table more that everybody may read",
      "grant select (token) on sessions to public",
      "access of mosaic_peer_reader to sessions is none that the migrations make",
    ],
    [
      "a right to write",
      "grant delete on notes to mosaic_peer_reader",
      "access of mosaic_peer_reader to notes is not as the migrations make it",
    ],
  ])("%s", async (_, spoil, cause) => {
    await run(spoil);
    const problem = await fault();
    expect(problem.details["cause"]).toMatch(cause);
    await expect(readSomething()).rejects.toMatchObject({ code: "peer_reader_unavailable" });
    // Until the look after the mending.
    await mend(problem);
    await expect(readSomething()).rejects.toMatchObject({ code: "peer_reader_unavailable" });
    await store.checkSecondWall().catch(async (more: unknown) => {
      // What is wrong twice is said one after the other.
      await mend(more as Problem);
    });
  });

  /** Does what the remedy says. */
  async function mend({ details }: Problem): Promise<void> {
    const [, statements] = / run in this database: (.*;) then start/u.exec(details.remedy) ?? [];
    if (statements === undefined) throw new Error(`no SQL in: ${details.remedy}`);
    expect(statements).toContain("delete from drizzle.__peer_reader_migrations;");
    await run(statements);
    await makeAnew();
  }
});

test("an extension's own view, which everybody may read, is nobody's fault", async () => {
  await run("create view planted as select 1 as one; grant select on planted to public");
  expect((await fault()).details["cause"]).toBe(
    "access of mosaic_peer_reader to planted is none that the migrations make",
  );
  await run("alter extension pg_trgm add view planted");
  await store.checkSecondWall();
});
