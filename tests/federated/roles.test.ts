import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { loadConfig } from "@mosaicstack/config";
import { newId, Problem } from "@mosaicstack/foundation";
import { openPostgres, type PostgresOptions, schema } from "@mosaicstack/storage";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPrivatePostgresql } from "../../scripts/services/private-instances.ts";
import { type RolesDatabase, rolesDatabase, runCreateRoles } from "./database-roles.ts";

async function refusal(options: PostgresOptions): Promise<Problem> {
  const error: unknown = await openPostgres(options).then(
    async (store) => {
      await store.close();
      return undefined;
    },
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${String(error)}`);
  const secrets = [options.password, options.migrateAs?.password].filter((secret) => secret !== undefined);
  const whole = inspect(error, { depth: 9 });
  expect(secrets.filter((secret) => whole.includes(secret))).toEqual([]);
  return error;
}

/** The runtime role alone, as a replica that never migrates is configured. */
function alone({ options }: RolesDatabase): PostgresOptions {
  const { host, port, name, user, password } = options;
  return { host, port, name, user, ...(password === undefined ? {} : { password }) };
}

describe("a gateway whose schema belongs to another role", () => {
  let roles: RolesDatabase;
  beforeAll(async () => {
    roles = await rolesDatabase();
    await (await openPostgres({ ...roles.options, vector: true })).close();
  });
  afterAll(() => roles.drop());

  test("runs as the runtime role", async () => {
    const store = await openPostgres({ ...roles.options, vector: true });
    expect(await store.query("select current_user::text as user", [])).toEqual([{ user: roles.runtime.user }]);
    const team = { id: newId(), name: "Platform" };
    await store.db.insert(schema.teams).values(team);
    await store.db.update(schema.teams).set({ name: "Operations" });
    expect(await store.query("select name from teams", [])).toEqual([{ name: "Operations" }]);
    await store.db.delete(schema.teams);
    await store.close();
  });

  test("every table belongs to the owner, and the runtime role may select, insert, update and delete in it", async () => {
    const tables = await roles.database.run<{ name: string; owner: string; columns: string; first: string }>(
      `select relname as name, relowner::regrole::text as owner, first, columns from pg_class
       join lateral (select string_agg(quote_ident(attname), ', ') as columns, min(quote_ident(attname)) as first
                     from pg_attribute where attrelid = pg_class.oid and attnum > 0 and attgenerated = '') on true
       where relkind = 'r' and relnamespace = 'public'::regnamespace`,
    );
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(["users", "tasks", "embeddings"]));
    for (const { name, owner, columns, first } of tables) {
      expect([name, owner]).toEqual([name, roles.owner.user]);
      await roles.runAs("runtime", `insert into ${name} (${columns}) select ${columns} from ${name} where false`);
      await roles.runAs("runtime", `update ${name} set ${first} = ${first} where false`);
      await roles.runAs("runtime", `delete from ${name} where false`);
    }
  });

  test("a table that a later migration makes is the runtime role's to write as well", async () => {
    await roles.runAs("owner", "create table later (id bigserial primary key)");
    expect(await roles.runAs("runtime", "insert into later default values returning id")).toEqual([{ id: "1" }]);
    await roles.runAs("owner", "drop table later");
  });

  test.each([
    ["create a table", "create table mine (id int)"],
    ["create a temporary table", "create temporary table mine (id int)"],
    ["create a schema", "create schema mine"],
    ["create an extension", "create extension hstore"],
    ["create a function", "create function mine() returns int language sql as 'select 1'"],
    ["alter a table", "alter table users add column mine int"],
    ["switch row security off", "alter table users disable row level security"],
    ["add a policy", "create policy mine on users using (true)"],
    [
      "add a trigger",
      "create trigger mine before insert on users execute function suppress_redundant_updates_trigger()",
    ],
    ["drop a table", "drop table users"],
    ["truncate a table", "truncate users cascade"],
    ["say which migrations there are", "delete from drizzle.__drizzle_migrations"],
    ["say which vector migrations there are", "delete from drizzle.__vector_migrations"],
    ["become the owner", "set role {owner}"],
    ["make itself a member of the owner", "grant {owner} to current_user"],
    ["make itself a superuser", "alter role {runtime} superuser"],
    ["let itself bypass row security", "alter role {runtime} bypassrls"],
    ["read other roles' passwords", "select rolpassword from pg_authid"],
    ["read a file of the server", "select pg_read_file('PG_VERSION')"],
    ["run a program", "copy users to program 'true'"],
  ])("the runtime role can't %s", async (_, sql) => {
    const attempt = sql.replace("{owner}", roles.owner.user).replace("{runtime}", roles.runtime.user);
    await expect(roles.runAs("runtime", attempt)).rejects.toMatchObject({ code: "42501" });
  });

  test("the runtime role sees what a policy lets it see, and can't look past it", async () => {
    await roles.runAs(
      "owner",
      `create table guarded (id int primary key, space text not null);
       insert into guarded values (1, 'mine'), (2, 'theirs');
       alter table guarded enable row level security;
       alter table guarded force row level security;
       create policy own_space on guarded using (space = 'mine')`,
    );
    const ids = (rows: readonly { id: number }[]) => rows.map(({ id }) => id);
    expect(ids(await roles.runAs("runtime", "select id from guarded"))).toEqual([1]);
    expect(ids(await roles.runAs("owner", "select id from guarded"))).toEqual([1]);
    // A superuser isn't bound: so the row is there, and it's the policy that hides it.
    expect(ids(await roles.database.run("select id from guarded order by id"))).toEqual([1, 2]);
    await expect(roles.runAs("runtime", "set row_security to off; select id from guarded")).rejects.toMatchObject({
      code: "42501",
    });
    await expect(roles.runAs("runtime", "insert into guarded values (3, 'theirs')")).rejects.toMatchObject({
      code: "42501",
    });
    await roles.runAs("owner", "drop table guarded");
  });

  test("nobody else may connect", async () => {
    const guest = `guest_${newId().replaceAll("-", "")}`;
    await roles.database.run(`create role ${guest} login password 'guest-secret'`);
    const { code, details } = await refusal({ ...alone(roles), user: guest, password: "guest-secret" });
    await roles.database.run(`drop role ${guest}`);
    expect([code, details["cause"]]).toEqual(["database_unreachable", "this user may not connect to that database"]);
  });

  test("opens without the owner where nothing is to be migrated, several at once", async () => {
    const stores = await Promise.all(
      Array.from({ length: 3 }, () => openPostgres({ ...alone(roles), vector: true, poolSize: 1 })),
    );
    for (const store of stores) expect(await store.query("select 1 from embeddings", [])).toEqual([]);
    await Promise.all(stores.map((store) => store.close()));
  });

  test("refuses a runtime role that may read nothing", async () => {
    const guest = `guest_${newId().replaceAll("-", "")}`;
    const { name } = roles.database.address;
    await roles.database.run(
      `create role ${guest} login password 'guest-secret'; grant connect on database ${name} to ${guest}`,
    );
    const { code, details } = await refusal({ ...roles.options, user: guest, password: "guest-secret" });
    await roles.database.run(`drop owned by ${guest}; drop role ${guest}`);
    expect(code).toBe("database_forbidden");
    expect(details.remedy).toContain("create-roles.sh");
  });

  test("names the right password: the owner's where that's wrong, else the runtime role's", async () => {
    const { migrateAs } = roles.options;
    const wrongOwner = await refusal({ ...roles.options, migrateAs: { ...migrateAs, password: "wrong-horse" } });
    expect(wrongOwner.details).toMatchObject({ code: "database_unreachable", cause: "wrong user or password" });
    expect(wrongOwner.details.remedy).toContain("POSTGRES_MIGRATION_PASSWORD");
    const wrongRuntime = await refusal({ ...roles.options, password: "wrong-horse" });
    expect(wrongRuntime.details).toMatchObject({ code: "database_unreachable", cause: "wrong user or password" });
    expect(wrongRuntime.details.remedy).not.toContain("MIGRATION");
  });

  test("never gives the owner the runtime role's password", async () => {
    const { user } = roles.owner;
    const { code } = await refusal({ ...roles.options, password: roles.owner.password, migrateAs: { user } });
    expect(code).toBe("database_unreachable");
  });
});

describe("an empty database", () => {
  let roles: RolesDatabase;
  beforeEach(async () => {
    roles = await rolesDatabase();
  });
  afterEach(() => roles.drop());

  test("is refused to the runtime role alone: it may not migrate", async () => {
    const { code, details } = await refusal(alone(roles));
    expect(code).toBe("database_outdated");
    expect(details.remedy).toContain("database.migrationUser");
  });

  test("is migrated once by replicas that start together", async () => {
    const stores = await Promise.all(
      Array.from({ length: 4 }, () => openPostgres({ ...roles.options, vector: true, poolSize: 1 })),
    );
    await Promise.all(stores.map((store) => store.close()));
    for (const journal of ["__drizzle_migrations", "__vector_migrations"]) {
      const applied = await roles.database.run<{ hash: string }>(`select hash from drizzle.${journal}`);
      expect(new Set(applied.map(({ hash }) => hash)).size).toBe(applied.length);
      expect(applied).not.toEqual([]);
    }
  });

  test("migrated without vectors is refused to a federated gateway that may not migrate, and served to others", async () => {
    await (await openPostgres(roles.options)).close();
    expect((await refusal({ ...alone(roles), vector: true })).code).toBe("database_outdated");
    await (await openPostgres(alone(roles))).close();
    await (await openPostgres({ ...roles.options, vector: true })).close();
    await (await openPostgres({ ...alone(roles), vector: true })).close();
  });
});

describe("create-roles.sh", () => {
  let roles: RolesDatabase;
  let directory: string;
  beforeAll(async () => {
    roles = await rolesDatabase();
    directory = await mkdtemp(join(tmpdir(), "mosaic-roles-"));
  });
  afterAll(async () => {
    await roles.drop();
    await rm(directory, { recursive: true, force: true });
  });

  test("gives neither role any attribute that matters, and both extensions", async () => {
    const made = await roles.database.run(
      `select rolsuper or rolbypassrls or rolcreatedb or rolcreaterole or rolreplication as mighty from pg_roles
       where rolname in ('${roles.owner.user}', '${roles.runtime.user}')`,
    );
    expect(made).toEqual([{ mighty: false }, { mighty: false }]);
    const extensions = await roles.database.run(
      "select extname as name from pg_extension where extname in ('vector', 'pg_trgm') order by 1",
    );
    expect(extensions).toEqual([{ name: "pg_trgm" }, { name: "vector" }]);
  });

  test("run again sets the passwords anew, from files, and takes away what the runtime role was given", async () => {
    await (await openPostgres(roles.options)).close();
    await roles.database.run(
      `grant ${roles.owner.user} to ${roles.runtime.user}; alter role ${roles.runtime.user} bypassrls;
       grant truncate on users to ${roles.runtime.user}; grant create on schema public to public`,
    );
    const passwordFile = join(directory, "password");
    await writeFile(passwordFile, "another secret\n", { mode: 0o600 });
    const again = await roles.runScript({
      CREATE_ROLES_RUNTIME_PASSWORD: "",
      CREATE_ROLES_RUNTIME_PASSWORD_FILE: passwordFile,
    });
    expect(again).toMatchObject({ status: 0 });
    expect((await refusal(roles.options)).details["cause"]).toBe("wrong user or password");
    await (await openPostgres({ ...roles.options, password: "another secret" })).close();
    expect(await roles.runScript()).toMatchObject({ status: 0 });
    await (await openPostgres(roles.options)).close();
    await expect(roles.runAs("runtime", "truncate users cascade")).rejects.toMatchObject({ code: "42501" });
    await expect(roles.runAs("runtime", `set role ${roles.owner.user}`)).rejects.toMatchObject({ code: "42501" });
    await expect(roles.runAs("runtime", "create table mine (id int)")).rejects.toMatchObject({ code: "42501" });
    const [role] = await roles.database.run(
      `select rolbypassrls as bypasses from pg_roles where rolname = '${roles.runtime.user}'`,
    );
    expect(role).toEqual({ bypasses: false });
  });

  test("takes over a database that one mighty role had made and migrated", async () => {
    const single = await rolesDatabase();
    try {
      await (await openPostgres({ ...single.database.address, vector: true })).close();
      await single.database.run("insert into teams (id, name) values ('01900000-0000-7000-8000-000000000001', 'Kept')");
      expect(await single.runScript()).toMatchObject({ status: 0 });
      const store = await openPostgres({ ...single.options, vector: true });
      expect(await store.query("select name from teams", [])).toEqual([{ name: "Kept" }]);
      await store.close();
      await single.runAs("owner", "alter table teams add column motto text; alter type team_role add value 'guest'");
      await single.runAs("owner", "insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', 1)");
    } finally {
      await single.drop();
    }
  });

  test.each([
    [
      "no password",
      { CREATE_ROLES_OWNER_PASSWORD: "" },
      "CREATE_ROLES_OWNER_PASSWORD (or CREATE_ROLES_OWNER_PASSWORD_FILE) is missing",
    ],
    ["a password twice", { CREATE_ROLES_RUNTIME_PASSWORD_FILE: "/dev/null" }, "not both"],
    [
      "a file that isn't there",
      { CREATE_ROLES_RUNTIME_PASSWORD: "", CREATE_ROLES_RUNTIME_PASSWORD_FILE: "/nowhere/at/all" },
      "can't be read|can be read",
    ],
    ["one role for both", { CREATE_ROLES_RUNTIME_ROLE: "same", CREATE_ROLES_OWNER_ROLE: "same" }, "two"],
    ["the role it runs as", { CREATE_ROLES_RUNTIME_ROLE: "{superuser}" }, "other than"],
  ])("refuses %s", async (_, environment, says) => {
    const { user } = roles.database.address;
    const given = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [name, value.replace("{superuser}", user)]),
    );
    const { status, output } = await roles.runScript(given);
    expect(status).toBe(2);
    expect(output).toMatch(new RegExp(says.replace(/[()]/g, "\\$&")));
  });

  test("refuses to run as less than a superuser, and tells no password when it fails", async () => {
    const { user, password } = roles.runtime;
    const refused = await roles.runScript({
      PGUSER: user,
      PGPASSWORD: password,
      CREATE_ROLES_RUNTIME_ROLE: "another_role",
    });
    expect(refused.status).not.toBe(0);
    const unreachable = await roles.runScript({ PGPORT: "1" });
    expect(unreachable.status).not.toBe(0);
    for (const { output } of [refused, unreachable]) {
      expect(output).not.toBe("");
      expect(output).not.toContain("secret");
    }
  });

  test("keeps the passwords out of the server's log, however much that is told to hold, and out of its own output", async () => {
    const server = await startPrivatePostgresql();
    try {
      const client = new pg.Client(server);
      await client.connect();
      await client.query("alter system set log_statement = 'all'");
      await client.query("alter system set log_min_duration_statement = 0");
      await client.query("select pg_reload_conf()");
      await client.end();
      const made = await runCreateRoles({
        // By the socket, and as whom the PostgreSQL image calls the superuser.
        PGHOST: server.directory,
        PGPORT: String(server.port),
        POSTGRES_USER: server.user,
        PGPASSWORD: server.password,
        CREATE_ROLES_RUNTIME_ROLE: "mosaic_runtime",
        CREATE_ROLES_OWNER_PASSWORD: "a-secret-word",
        CREATE_ROLES_RUNTIME_PASSWORD: "another-secret-word",
      });
      expect(made.status).toBe(0);
      expect(made.output).toContain("database mosaic is ready");
      const log = await readFile(join(server.directory, "log"), "utf8");
      expect(log).toContain("log_min_error_statement");
      for (const text of [log, made.output]) expect(text).not.toContain("secret-word");
    } finally {
      await server.stop();
    }
  });

  test("helps", async () => {
    const { status, output } = await runCreateRoles({}, ["--help"]);
    expect(status).toBe(0);
    expect(output).toContain("CREATE_ROLES_OWNER_PASSWORD[_FILE]");
  });

  test("reads no variable that a gateway of the same shell takes for a misspelled setting", async () => {
    const { output } = await runCreateRoles({}, ["--help"]);
    const named = [...output.matchAll(/^ {2}([A-Z][A-Z_]+)(\[_FILE\])?/gm)].flatMap(([, name = "", file]) =>
      file === undefined ? [name] : [name, `${name}_FILE`],
    );
    expect(named.length).toBeGreaterThan(6);
    const environment = { ...Object.fromEntries(named.map((name) => [name, "x"])), MOSAIC_TIER: "local" };
    const { config } = await loadConfig({ directory, environment });
    expect(config.tier).toBe("local");
  });
});
