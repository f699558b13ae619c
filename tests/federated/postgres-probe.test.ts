import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { inspect } from "node:util";
import { newId, Problem } from "@mosaicstack/foundation";
import { openPostgres, type PostgresOptions, probePostgres } from "@mosaicstack/storage";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPrivatePostgresql } from "../../scripts/services/private-instances.ts";
import { rolesDatabase } from "./database-roles.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

let database: FreshDatabase;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.drop());

async function refusal(options: PostgresOptions): Promise<Problem> {
  const error: unknown = await probePostgres(options).catch((thrown: unknown) => thrown);
  if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${inspect(error)}`);
  expect(inspect(error, { depth: 9 })).not.toContain(options.password);
  expect(error.details).toMatchObject({ host: options.host, port: options.port, cause: expect.any(String) as string });
  return error;
}

const optionsOf = ({ host, port, user, password, database: name }: PrivatePostgresql): PostgresOptions => ({
  host,
  port,
  user,
  password,
  name,
});

type PrivatePostgresql = Awaited<ReturnType<typeof startPrivatePostgresql>>;

describe("a look at a database", () => {
  test("tells what it found", async () => {
    const { address } = database;
    const [server] = await database.run<{ version: string }>("select current_setting('server_version') as version");
    const [offered] = await database.run<{ version: string }>(
      "select default_version as version from pg_available_extensions where name = 'vector'",
    );
    const empty = await probePostgres({ ...address, vector: true });
    expect(empty).toEqual({
      latencyMs: expect.any(Number) as number,
      version: server?.version.split(" ")[0],
      tls: false,
      clockSkewMs: expect.any(Number) as number,
      vector: { available: offered?.version, installed: undefined },
      trigrams: { available: expect.any(String) as string, installed: undefined },
      role: { user: address.user, superuser: true, bypassesRowSecurity: true, ownsSchema: true },
      peerReader: undefined,
      migrations: "none",
    });
    expect(Math.abs(empty.clockSkewMs)).toBeLessThan(1_000);
    expect(empty.latencyMs).toBeGreaterThan(0);
    expect(empty.latencyMs).toBeLessThan(1_000);

    await (await openPostgres(address)).close();
    expect((await probePostgres(address)).migrations).toBe("current");
    expect((await probePostgres({ ...address, vector: true })).migrations).toBe("behind");
    await (await openPostgres({ ...address, vector: true })).close();
    expect(await probePostgres({ ...address, vector: true })).toMatchObject({
      migrations: "current",
      vector: { installed: offered?.version },
    });
    await database.run("insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 99999999999999)");
    expect((await probePostgres(address)).migrations).toBe("newer");
  });

  test("writes nothing, and leaves no connection", async () => {
    await database.run(`alter database ${database.address.name} set default_transaction_read_only = on`);
    expect((await probePostgres({ ...database.address, vector: true })).migrations).toBe("none");
    await new Promise((resolve) => setTimeout(resolve, 200));
    const others = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    expect(await database.run(others)).toEqual([]);
  });

  test("knows a runtime role from an owner", async () => {
    const roles = await rolesDatabase();
    try {
      const { migrateAs, ...runtime } = roles.options;
      expect((await probePostgres({ ...runtime, vector: true })).migrations).toBe("none");
      await (await openPostgres({ ...roles.options, vector: true })).close();
      expect(await probePostgres({ ...runtime, vector: true })).toMatchObject({
        role: { user: runtime.user, superuser: false, bypassesRowSecurity: false, ownsSchema: false },
        migrations: "current",
      });
      expect((await probePostgres({ ...runtime, ...migrateAs })).role).toEqual({
        user: migrateAs.user,
        superuser: false,
        bypassesRowSecurity: false,
        ownsSchema: true,
      });
      await roles.database.run(`alter role ${runtime.user} bypassrls`);
      expect((await probePostgres(runtime)).role).toMatchObject({ superuser: false, bypassesRowSecurity: true });
    } finally {
      await roles.drop();
    }
  });

  test.each([
    ["a wrong password", { password: "wrong-horse" }, "wrong user or password"],
    ["an unknown database", { name: "nowhere_here" }, "no such database"],
    ["a port nobody listens on", { port: 1 }, "connection refused"],
  ])("with %s says so", async (_, wrong, cause) => {
    const { code, details } = await refusal({ ...database.address, ...wrong });
    expect([code, details["service"], details["cause"]]).toEqual(["database_unreachable", "postgresql", cause]);
  });
});

describe("pgvector", () => {
  let guest: string;
  beforeEach(async () => {
    guest = `guest_${newId().replaceAll("-", "")}`;
    await database.run(`create role ${guest} login password 'guest-secret'`);
  });
  afterEach(() => database.run(`drop owned by ${guest}; drop role ${guest}`));

  const asGuest = () => ({ ...database.address, user: guest, password: "guest-secret", vector: true });

  test("that this role may not create is told, and isn't asked for where it isn't needed", async () => {
    const { code, details } = await refusal(asGuest());
    expect([code, details["service"], details["cause"]]).toEqual(["vector_unavailable", "pgvector", "not permitted"]);
    expect(details.remedy).toContain("CREATE EXTENSION vector");
    expect((await probePostgres({ ...asGuest(), vector: false })).vector.installed).toBeUndefined();
  });

  test("is no fault where someone else has created it, or the role that migrates may", async () => {
    const { user, password } = database.address;
    expect((await probePostgres({ ...asGuest(), migrateAs: { user, password } })).migrations).toBe("none");
    await database.run("create extension vector");
    expect((await probePostgres(asGuest())).vector.installed).toMatch(/^\d/);
  });

  test("with a migrating role that isn't there is another fault", async () => {
    const { code, details } = await refusal({ ...asGuest(), migrateAs: { user: "nobody_here" } });
    expect([code, details["cause"]]).toEqual(["database_unreachable", "no such migrating role"]);
  });

  test("that isn't installed is told, by a look and by opening", async () => {
    const server = await startPrivatePostgresql({ withoutVector: true });
    try {
      const options = { ...optionsOf(server), vector: true };
      const { code, details } = await refusal(options);
      expect([code, details["service"], details["cause"]]).toEqual(["vector_unavailable", "pgvector", "not installed"]);
      await expect(openPostgres(options)).rejects.toMatchObject({ code, details });
      expect((await probePostgres({ ...options, vector: false })).vector).toEqual({});
    } finally {
      await server.stop();
    }
  });
});

describe("pgvector that a server trusts", () => {
  let server: PrivatePostgresql;
  beforeAll(async () => {
    server = await startPrivatePostgresql();
    const client = new pg.Client(server);
    await client.connect();
    // As the packages of PostgreSQL's own repository come, so that a database's owner may create it.
    const { rows } = await client.query<{ folder: string }>(
      "select setting || '/extension' as folder from pg_config where name = 'SHAREDIR'",
    );
    const trusted = join(server.directory, "trusted/extension");
    await mkdir(trusted, { recursive: true });
    const folder = rows[0]?.folder ?? "";
    const control = await readFile(join(folder, "vector.control"), "utf8");
    const version = /default_version = '([^']+)'/.exec(control)?.[1] ?? "";
    await writeFile(join(trusted, "vector.control"), `${control}\ntrusted = true\n`);
    const script = `vector--${version}.sql`;
    await writeFile(join(trusted, script), await readFile(join(folder, script)));
    await client.query(`alter system set extension_control_path = '${join(server.directory, "trusted")}:$system'`);
    await client.query("select pg_reload_conf()");
    await client.query("create role owner login createrole password 'owner-secret'");
    await client.query("create role guest login password 'guest-secret'");
    await client.query("create database owned owner owner");
    await client.end();
  });
  afterAll(() => server.stop());

  test("may be created by who may create in the database, and by nobody else", async () => {
    const owned = { ...optionsOf(server), name: "owned", vector: true };
    const { details } = await refusal({ ...owned, user: "guest", password: "guest-secret" });
    expect(details["cause"]).toBe("not permitted");
    const owner = { ...owned, user: "owner", password: "owner-secret" };
    expect((await probePostgres(owner)).vector.installed).toBeUndefined();
    await (await openPostgres(owner)).close();
    expect(await probePostgres(owner)).toMatchObject({ migrations: "current" });
  });
});

describe("a server that doesn't answer", () => {
  const listening: { server: Server; sockets: Set<Socket> }[] = [];
  afterEach(async () => {
    for (const { server, sockets } of listening.splice(0)) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  async function listen(treat: (socket: Socket, sockets: Set<Socket>) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      treat(socket, sockets);
    });
    listening.push({ server, sockets });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  }

  /** Within the limit and a little, whatever the server does. */
  async function outcome(options: PostgresOptions): Promise<readonly unknown[]> {
    const began = performance.now();
    const { code, details } = await refusal({ ...options, connectTimeoutMs: 500 });
    return [code, details["cause"], performance.now() - began < 1_500 ? "in time" : "late"];
  }
  const TIMED_OUT = ["database_unreachable", "timed out", "in time"];

  test("not even a greeting", async () => {
    expect(await outcome({ ...database.address, port: await listen(() => undefined) })).toEqual(TIMED_OUT);
  });

  test("to the first statement, once connected", async () => {
    const { host, port } = database.address;
    const proxy = await listen((socket, sockets) => {
      const upstream = connect(port, host);
      sockets.add(upstream);
      upstream.on("error", () => undefined);
      upstream.pipe(socket);
      // A simple or prepared statement begins with one of these; what comes before is the login.
      socket.on("data", (bytes) => {
        if (bytes[0] !== 0x51 && bytes[0] !== 0x50) upstream.write(bytes);
      });
    });
    expect(await outcome({ ...database.address, port: proxy })).toEqual(TIMED_OUT);
  });

  test("because it's frozen", async () => {
    const server = await startPrivatePostgresql();
    try {
      server.pause();
      expect(await outcome(optionsOf(server))).toEqual(TIMED_OUT);
      server.resume();
      expect((await probePostgres(optionsOf(server))).migrations).toBe("none");
    } finally {
      await server.stop();
    }
  });
});
