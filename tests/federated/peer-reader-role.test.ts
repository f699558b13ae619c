import { randomBytes } from "node:crypto";
import { newId, Problem } from "@mosaicstack/foundation";
import { openPostgres, type PostgresOptions, probePostgres } from "@mosaicstack/storage";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPrivatePostgresql } from "../../scripts/services/private-instances.ts";
import { runCreateRoles } from "./database-roles.ts";

// The role belongs to the whole server, so these tests have a server of their own to spoil it on.
type Server = Awaited<ReturnType<typeof startPrivatePostgresql>>;
let server: Server;
beforeAll(async () => {
  server = await startPrivatePostgresql();
});
afterAll(() => server.stop());

async function run<Row extends pg.QueryResultRow>(sql: string, database = server.database, as?: Login): Promise<Row[]> {
  const { host, port, user, password } = server;
  const client = new pg.Client({ host, port, database, user: as?.user ?? user, password: as?.password ?? password });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

interface Login {
  readonly user: string;
  readonly password: string;
}

/** A database of its own, as deploy/postgresql sets it up. */
async function setUp(): Promise<PostgresOptions & { readonly migrateAs: Login }> {
  const mark = randomBytes(4).toString("hex");
  const [name, password] = [`mosaic_${mark}`, "a secret"];
  const migrateAs = { user: `owner_${mark}`, password };
  const { status, output } = await runCreateRoles({
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.user,
    PGPASSWORD: server.password,
    CREATE_ROLES_DATABASE: name,
    CREATE_ROLES_OWNER_ROLE: migrateAs.user,
    CREATE_ROLES_RUNTIME_ROLE: `runtime_${mark}`,
    CREATE_ROLES_OWNER_PASSWORD: password,
    CREATE_ROLES_RUNTIME_PASSWORD: password,
  });
  if (status !== 0) throw new Error(output);
  return { host: server.host, port: server.port, name, user: `runtime_${mark}`, password, migrateAs, vector: true };
}

async function open(options: PostgresOptions): Promise<void> {
  await (await openPostgres({ ...options, poolSize: 1 })).close();
}

async function refusal(options: PostgresOptions): Promise<Problem> {
  const error: unknown = await open(options).catch((thrown: unknown) => thrown);
  if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${String(error)}`);
  expect(error.code).toBe("peer_reader_unavailable");
  return error;
}

/** The SQL that a remedy names, to be run as it stands. */
function sqlOf({ details }: Problem): string {
  const [, sql] = / run(?: in this database)?: (.*;)/u.exec(details.remedy) ?? [];
  if (sql === undefined) throw new Error(`no SQL in: ${details.remedy}`);
  return sql;
}

describe("a federated gateway refuses to start, names what is wrong, and starts after what the remedy says, with", () => {
  let options: PostgresOptions & { readonly migrateAs: Login };
  beforeEach(async () => {
    options = await setUp();
    await open(options);
  });

  test.each([
    ["a reader that is a superuser", "alter role mosaic_peer_reader superuser", "superuser"],
    ["a reader that bypasses row security", "alter role mosaic_peer_reader bypassrls", "bypasses row security"],
    ["a reader that may sign in", "alter role mosaic_peer_reader login", "sign in"],
    ["a reader that has another role's rights", "grant {owner} to mosaic_peer_reader", "has the rights of owner_"],
    ["a role that may not become the reader", "revoke mosaic_peer_reader from {runtime}", "may not become"],
    [
      "a role that has the reader's rights, and so its bounds, at all times",
      "grant mosaic_peer_reader to {runtime} with inherit true",
      "at all times",
    ],
  ])("%s", async (_, spoil, cause) => {
    await run(spoil.replace("{owner}", options.migrateAs.user).replace("{runtime}", options.user));
    const problem = await refusal(options);
    expect(problem.details["cause"]).toContain(cause);
    expect(problem.details).toMatchObject({ service: "postgresql", host: server.host, port: server.port });
    expect((await probePostgres(options)).peerReader).toMatchObject({ cause: problem.details["cause"] });
    await run(sqlOf(problem), options.name);
    await open(options);
    expect((await probePostgres(options)).peerReader).toBeUndefined();
  });

  test.each([
    [
      "a table whose row security is off",
      "alter table notes disable row level security",
      "row security of notes is off",
    ],
    ["a table whose policy is gone", "drop policy peer_bounds on teams", "policy peer_bounds of teams is gone"],
    [
      "a table whose policy is another",
      "drop policy peer_bounds on tasks; create policy peer_bounds on tasks as restrictive to mosaic_peer_reader using (true)",
      "policy peer_bounds of tasks is not as",
    ],
    [
      "a table whose policy is for writing alone",
      "drop policy peer_bounds on tasks; create policy peer_bounds on tasks as restrictive for insert to mosaic_peer_reader with check (peer_spaces() is null)",
      "policy peer_bounds of tasks is not as",
    ],
    [
      "a permissive policy more",
      "create policy planted on tasks to mosaic_peer_reader using (true)",
      "policy planted of tasks is none that",
    ],
    [
      "another body of the function that sets the bounds",
      `create or replace function set_peer_bounds(subject uuid, personal boolean, every_team boolean, teams uuid[], resources text[])
       returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$ begin end $$`,
      "function set_peer_bounds(subject uuid, personal boolean, every_team boolean, teams uuid[], resources text[]) is not as",
    ],
    [
      "another body of the function that policies call",
      "create or replace function peer_spaces() returns uuid[] language sql stable parallel safe return array(select id from teams)",
      "function peer_spaces() is not as",
    ],
    [
      "a function that a search path of its caller's choosing could mislead",
      "alter function set_peer_bounds reset all",
      "is not as",
    ],
    [
      "one function more of that name",
      "create function set_peer_bounds(text, boolean, boolean, text, text) returns void language sql return null::void",
      "function set_peer_bounds(text, boolean, boolean, text, text) is none that",
    ],
    [
      "a reader that may read secrets",
      "grant select on credentials to mosaic_peer_reader",
      "access of mosaic_peer_reader to credentials is not as",
    ],
    [
      "everybody allowed to read sessions",
      "grant select on sessions to public",
      "access of mosaic_peer_reader to sessions is none that",
    ],
    [
      "a reader that may read people's addresses",
      "grant select (email) on users to mosaic_peer_reader",
      "access of mosaic_peer_reader to users is not as",
    ],
    [
      "a reader that may write",
      "grant insert on notes to mosaic_peer_reader",
      "access of mosaic_peer_reader to notes is not as",
    ],
  ])("%s", async (_, spoil, cause) => {
    // As the owner: what a superuser makes is a superuser's, and not the owner's to take away.
    await run(spoil, options.name, options.migrateAs);
    const problem = await refusal(options);
    expect(problem.details["cause"]).toContain(cause);
    expect((await probePostgres(options)).peerReader).toMatchObject({ cause: problem.details["cause"] });
    // As the owner, and not as a superuser.
    await run(sqlOf(problem), options.name, options.migrateAs);
    await open(options);
    expect(await run("select sealed_secret from credentials", options.name)).toEqual([]);
  });

  test.each([
    [
      "a function of somebody else's",
      "alter function set_peer_bounds owner to current_user",
      "is not as the migrations make it",
    ],
    [
      "a table whose owner is the reader",
      "alter table notes owner to mosaic_peer_reader",
      "row security of notes is not for its owner, who is the reader",
    ],
  ])("%s, which only a superuser mends", async (_, spoil, cause) => {
    await run(spoil, options.name);
    const problem = await refusal(options);
    expect(problem.details["cause"]).toContain(cause);
    expect(problem.details.remedy).toContain("As a superuser");
    await run(sqlOf(problem), options.name);
    await open(options);
  });

  test("and one that runs serves no peer from the look that finds it, until the look that finds it mended", async () => {
    const store = await openPostgres(options);
    const bounds = { subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] } as const;
    const read = () => store.readAsPeer(bounds, (walled) => walled.query("select 1 as one", []));
    await run("create policy planted on tasks to mosaic_peer_reader using (true)", options.name, options.migrateAs);
    expect(await read()).toEqual([{ one: 1 }]);
    await expect(store.checkSecondWall()).rejects.toMatchObject({ code: "peer_reader_unavailable" });
    await expect(read()).rejects.toMatchObject({ code: "peer_reader_unavailable" });
    await run("drop policy planted on tasks", options.name, options.migrateAs);
    await store.checkSecondWall();
    expect(await read()).toEqual([{ one: 1 }]);
    await store.close();
  });
});

describe("where nobody made the reader", () => {
  const solo = { user: `solo_${newId().slice(-8)}`, password: "a secret" };
  const address = { vector: true, ...solo };
  let options: PostgresOptions;
  beforeEach(async () => {
    // Of every database that is left on this server.
    for (const { name } of await run<{ name: string }>(
      "select datname as name from pg_database where not datistemplate and datname <> current_database()",
    )) {
      await run(`drop database ${name} with (force)`);
    }
    await run("drop role if exists mosaic_peer_reader");
    await run(`drop role if exists ${solo.user}`);
    await run(`create role ${solo.user} login password '${solo.password}'`);
    const name = `solo_${randomBytes(4).toString("hex")}`;
    await run(`create database ${name} owner ${solo.user}`);
    await run("create extension vector; create extension pg_trgm", name);
    options = { ...address, host: server.host, port: server.port, name };
  });

  test("a role with CREATEROLE makes it at the start, and reads as it", async () => {
    await run(`alter role ${solo.user} createrole`);
    expect((await probePostgres(options)).peerReader).toBeUndefined();
    const store = await openPostgres(options);
    const bounds = { subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] } as const;
    const who = await store.readAsPeer(bounds, (read) => read.query("select current_user::text as who", []));
    expect(who).toEqual([{ who: "mosaic_peer_reader" }]);
    await store.close();
    await open(options);
  });

  test("a role without refuses to start, before a table of the wall is touched, until the SQL of the remedy was run", async () => {
    const problem = await refusal(options);
    expect(problem.details["cause"]).toBe("there is no role mosaic_peer_reader");
    expect((await probePostgres(options)).peerReader).toMatchObject({ cause: "there is no role mosaic_peer_reader" });
    expect(await run("select from pg_policy", options.name)).toEqual([]);
    await run(sqlOf(problem));
    await open(options);
  });

  test("databases of one server that start at once make it once", async () => {
    await run(`alter role ${solo.user} superuser`);
    const names = Array.from({ length: 5 }, () => `many_${randomBytes(4).toString("hex")}`);
    for (const name of names) await run(`create database ${name} owner ${solo.user}`);
    await Promise.all(names.map((name) => open({ ...options, name })));
    await run(`alter role ${solo.user} nosuperuser`);
    expect(await run("select from pg_roles where rolname = 'mosaic_peer_reader'")).toHaveLength(1);
  });

  test("a gateway of tier standalone neither makes nor misses it", async () => {
    await open({ ...options, vector: false });
    expect(await run("select from pg_roles where rolname = 'mosaic_peer_reader'")).toEqual([]);
    expect(await run("select from pg_policy", options.name)).toEqual([]);
  });
});
