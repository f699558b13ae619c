import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../scripts/services/free-port.ts";
import { startPrivatePostgresql, startPrivateValkey } from "../../scripts/services/private-instances.ts";
import { rolesDatabase } from "./database-roles.ts";
import { diagnose, type DoctorCheck, runDoctor } from "./doctor-command.ts";
import { freshDatabase } from "./fresh-database.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import { newServerAuthority } from "./server-certificate.ts";

const YEAR_MS = 365 * 86_400_000;
/** Given where a wrong one is: no answer may hold it. */
const WRONG = "wrong-horse-battery-staple-of-the-doctor";
const SECRET = randomBytes(32).toString("hex");

/** A healthy federated gateway in a process of its own, as deploy/postgresql sets its roles up. */
async function startStack() {
  const folder = await mkdtemp(join(tmpdir(), "mosaic-doctor-files-"));
  const [roles, valkey] = await Promise.all([rolesDatabase(), startPrivateValkey()]);
  const { runtime, owner, database } = roles;
  const [people, peers] = [await freePort(), await freePort()];
  const environment: Readonly<Record<string, string>> = {
    MOSAIC_TIER: "federated",
    MOSAIC_HTTP_PORT: String(people),
    MOSAIC_FEDERATION_PORT: String(peers),
    MOSAIC_DATABASE_HOST: database.address.host,
    MOSAIC_DATABASE_PORT: String(database.address.port),
    MOSAIC_DATABASE_NAME: database.address.name,
    MOSAIC_DATABASE_USER: runtime.user,
    POSTGRES_PASSWORD: runtime.password,
    MOSAIC_DATABASE_MIGRATION_USER: owner.user,
    POSTGRES_MIGRATION_PASSWORD: owner.password,
    VALKEY_URL: `redis://${valkey.host}:${valkey.port}/0`,
    VALKEY_PASSWORD: valkey.password,
    BETTER_AUTH_SECRET: SECRET,
  };
  const gateway = await startGatewayProcess({
    services: {
      database: { ...database.address, ...runtime },
      valkey: { host: valkey.host, port: valkey.port, database: 0, password: valkey.password, tls: false },
    },
    secret: SECRET,
    environment,
  });
  const answer = await fetch(`${gateway.people}/api/v1/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: gateway.setupCode, name: "Ada", email: "ada@example.org", password: WRONG }),
  });
  const { api_key: key } = (await answer.json()) as { api_key: string };
  return {
    folder,
    roles,
    valkey,
    gateway,
    people,
    peers,
    environment: { ...environment, MOSAIC_API_KEY: key },
    secrets: [runtime.password, owner.password, valkey.password, SECRET, key, WRONG],
  };
}

type Stack = Awaited<ReturnType<typeof startStack>>;
let stack: Stack;
let others: { stop(): Promise<void> }[];
beforeAll(async () => {
  stack = await startStack();
  others = [];
});
afterAll(async () => {
  await stack.gateway.kill().catch(() => undefined);
  await Promise.all(others.map((other) => other.stop()));
  await stack.valkey.stop();
  await stack.roles.drop();
  await rm(stack.folder, { recursive: true });
});

/** Kept until the end of the file. */
function kept<Other extends { stop(): Promise<void> }>(other: Other): Other {
  others.push(other);
  return other;
}

async function listening(answer: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    answer(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  kept({
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  });
  return (server.address() as AddressInfo).port;
}

/** Where the environment differs from the healthy one's, and how to take back what was done beside. */
interface Broken {
  readonly environment?: Readonly<Record<string, string>>;
  readonly mend?: () => Promise<unknown>;
}

const sql = async (text: string): Promise<unknown> => await stack.roles.database.run(text);

async function writeFiles(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(stack.folder, name), text);
    await chmod(join(stack.folder, name), 0o600);
  }
}

const tlsFiles = (certificate: string, key: string): Broken => ({
  environment: {
    MOSAIC_HTTP_TLS_CERTIFICATE_FILE: join(stack.folder, certificate),
    MOSAIC_HTTP_TLS_KEY_FILE: join(stack.folder, key),
  },
});

interface Seeded {
  readonly what: string;
  readonly breakIt: () => Promise<Broken> | Broken;
  readonly name: string;
  readonly code: string;
  readonly status: number;
  readonly detail?: RegExp;
}

const red: readonly Seeded[] = [
  {
    what: "PostgreSQL down",
    breakIt: async () => ({ environment: { MOSAIC_DATABASE_PORT: String(await freePort()) } }),
    name: "postgresql",
    code: "database_unreachable",
    status: 7,
    detail: /connection refused/u,
  },
  {
    what: "a PostgreSQL that accepts and says nothing",
    breakIt: async () => ({ environment: { MOSAIC_DATABASE_PORT: String(await listening(() => undefined)) } }),
    name: "postgresql",
    code: "database_unreachable",
    status: 7,
    detail: /timed out/u,
  },
  {
    what: "PostgreSQL's password wrong",
    breakIt: () => ({ environment: { POSTGRES_PASSWORD: WRONG } }),
    name: "postgresql",
    code: "database_unreachable",
    status: 7,
    detail: /wrong user or password/u,
  },
  {
    what: "the migrating role's password wrong",
    breakIt: () => ({ environment: { POSTGRES_MIGRATION_PASSWORD: WRONG } }),
    name: "migrating role",
    code: "database_unreachable",
    status: 7,
    detail: /wrong user or password/u,
  },
  {
    what: "no such database",
    breakIt: () => ({ environment: { MOSAIC_DATABASE_NAME: "nowhere_here" } }),
    name: "postgresql",
    code: "database_unreachable",
    status: 7,
    detail: /no such database/u,
  },
  {
    what: "TLS asked of a PostgreSQL without",
    breakIt: () => ({ environment: { MOSAIC_DATABASE_TLS: "require" } }),
    name: "postgresql",
    code: "database_unreachable",
    status: 7,
    detail: /TLS/u,
  },
  {
    what: "pgvector not installed on the server",
    breakIt: async () => {
      const { host, port, user, password, database } = kept(await startPrivatePostgresql({ withoutVector: true }));
      return {
        environment: {
          MOSAIC_DATABASE_HOST: host,
          MOSAIC_DATABASE_PORT: String(port),
          MOSAIC_DATABASE_NAME: database,
          MOSAIC_DATABASE_USER: user,
          POSTGRES_PASSWORD: password,
          MOSAIC_DATABASE_MIGRATION_USER: user,
          POSTGRES_MIGRATION_PASSWORD: password,
        },
      };
    },
    name: "pgvector",
    code: "vector_unavailable",
    status: 7,
    detail: /isn't installed/u,
  },
  {
    what: "pgvector installed, and not permitted",
    breakIt: async () => {
      const database = await freshDatabase();
      kept({ stop: async () => await database.drop() });
      return { environment: { MOSAIC_DATABASE_NAME: database.address.name } };
    },
    name: "pgvector",
    code: "vector_unavailable",
    status: 7,
    detail: /may not enable it/u,
  },
  {
    what: "a database of a newer version",
    breakIt: async () => {
      await sql("insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 99999999999999)");
      return { mend: () => sql("delete from drizzle.__drizzle_migrations where hash = 'x'") };
    },
    name: "migrations",
    code: "database_newer",
    status: 7,
  },
  {
    what: "an empty database, and a role that may not migrate it",
    breakIt: async () => {
      const empty = await rolesDatabase();
      kept({ stop: async () => await empty.drop() });
      return {
        environment: {
          MOSAIC_DATABASE_NAME: empty.database.address.name,
          MOSAIC_DATABASE_USER: empty.runtime.user,
          POSTGRES_PASSWORD: empty.runtime.password,
          MOSAIC_DATABASE_MIGRATION_USER: "",
          POSTGRES_MIGRATION_PASSWORD: "",
        },
      };
    },
    name: "migrations",
    code: "database_outdated",
    status: 7,
  },
  {
    what: "a table without the policy that bounds what peers read of it",
    breakIt: async () => {
      await sql("alter table notes disable row level security");
      return { mend: () => sql("alter table notes enable row level security") };
    },
    name: "second wall",
    code: "peer_reader_unavailable",
    status: 7,
    detail: /row security of notes is off/u,
  },
  {
    what: "a table the gateway's role may not read",
    breakIt: async () => {
      const { user } = stack.roles.runtime;
      await sql(`revoke select on tasks from ${user}`);
      return { mend: () => sql(`grant select on tasks to ${user}`) };
    },
    name: "stored data",
    code: "database_forbidden",
    status: 7,
    detail: /tasks/u,
  },
  {
    what: "another seal key than the data's",
    breakIt: () => ({ environment: { MOSAIC_SEAL_KEY: `${WRONG}-${WRONG}` } }),
    name: "seal key",
    code: "seal_key_differs",
    status: 1,
    detail: /1 certificate authority/u,
  },
  {
    what: "a certificate authority whose root has ended",
    breakIt: async () => {
      const ended = await newServerAuthority({ now: () => new Date(Date.now() - 11 * YEAR_MS) });
      await sql("create schema kept; create table kept.roots as select id, root_pem from certificate_authorities");
      await sql(`update certificate_authorities set root_pem = '${ended.root}'`);
      return {
        mend: () =>
          sql(`update certificate_authorities as authority set root_pem = before.root_pem
               from kept.roots as before where before.id = authority.id; drop schema kept cascade`),
      };
    },
    name: "certificate authority",
    code: "authority_expired",
    status: 7,
  },
  {
    what: "Valkey down",
    breakIt: async () => ({ environment: { VALKEY_URL: `redis://127.0.0.1:${await freePort()}/0` } }),
    name: "valkey",
    code: "valkey_unreachable",
    status: 7,
    detail: /connection refused/u,
  },
  {
    what: "a Valkey that accepts and says nothing",
    breakIt: async () => ({ environment: { VALKEY_URL: `redis://127.0.0.1:${await listening(() => undefined)}/0` } }),
    name: "valkey",
    code: "valkey_unreachable",
    status: 7,
    detail: /timed out/u,
  },
  {
    what: "Valkey's password wrong",
    breakIt: () => ({ environment: { VALKEY_PASSWORD: WRONG } }),
    name: "valkey",
    code: "valkey_unreachable",
    status: 7,
    detail: /wrong password/u,
  },
  {
    what: "something else than Valkey",
    breakIt: async () => {
      const port = await listening((socket) =>
        socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
      );
      return { environment: { VALKEY_URL: `redis://127.0.0.1:${port}/0` } };
    },
    name: "valkey",
    code: "valkey_unreachable",
    status: 7,
    detail: /not a Valkey/u,
  },
  {
    what: "a certificate of http.tls that has ended",
    breakIt: async () => {
      const authority = await newServerAuthority({ now: () => new Date(Date.now() - YEAR_MS) });
      const { certificate, key } = await authority.issue({ dnsNames: ["localhost"] });
      await writeFiles({ "ended.pem": certificate, "ended.key": key });
      return tlsFiles("ended.pem", "ended.key");
    },
    name: "tls files",
    code: "certificate_expired",
    status: 7,
  },
  {
    what: "a key of http.tls that is another certificate's",
    breakIt: async () => {
      const authority = await newServerAuthority();
      const [one, two] = await Promise.all([
        authority.issue({ dnsNames: ["a"] }),
        authority.issue({ dnsNames: ["b"] }),
      ]);
      await writeFiles({ "one.pem": one.certificate, "two.key": two.key });
      return tlsFiles("one.pem", "two.key");
    },
    name: "tls files",
    code: "tls_unusable",
    status: 3,
    detail: /is not the key of/u,
  },
  {
    what: "an API key that is refused",
    breakIt: () => ({ environment: { MOSAIC_API_KEY: WRONG } }),
    name: "sign-in",
    code: "credential_refused",
    status: 4,
  },
  {
    what: "a gateway that accepts and says nothing",
    breakIt: async () => ({ environment: { MOSAIC_HTTP_PORT: String(await listening(() => undefined)) } }),
    name: "listener",
    code: "gateway_timeout",
    status: 7,
  },
  {
    what: "another program on the gateway's port",
    breakIt: async () => {
      const page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<p>Hello";
      return { environment: { MOSAIC_HTTP_PORT: String(await listening((socket) => socket.end(page))) } };
    },
    name: "port for people",
    code: "port_in_use",
    status: 1,
  },
];

const yellow: readonly Seeded[] = [
  {
    what: "a Valkey that forgets jobs when it is full",
    breakIt: async () => {
      const { url, password } = kept(await startPrivateValkey({ evictionPolicy: "allkeys-lru" }));
      return { environment: { VALKEY_URL: url, VALKEY_PASSWORD: password } };
    },
    name: "valkey",
    code: "valkey_evicts",
    status: 8,
  },
  {
    what: "a superuser for a role",
    breakIt: () => {
      const { user, password } = stack.roles.database.address;
      return { environment: { MOSAIC_DATABASE_USER: user, POSTGRES_PASSWORD: password } };
    },
    name: "database role",
    code: "database_superuser",
    status: 8,
  },
  {
    what: "a role with BYPASSRLS",
    breakIt: async () => {
      const { user } = stack.roles.runtime;
      await sql(`alter role ${user} bypassrls`);
      return { mend: () => sql(`alter role ${user} nobypassrls`) };
    },
    name: "database role",
    code: "database_bypasses_row_security",
    status: 8,
  },
  {
    what: "an empty database that the start will fill",
    breakIt: async () => {
      const empty = await rolesDatabase();
      kept({ stop: async () => await empty.drop() });
      return {
        environment: {
          MOSAIC_DATABASE_NAME: empty.database.address.name,
          MOSAIC_DATABASE_USER: empty.runtime.user,
          POSTGRES_PASSWORD: empty.runtime.password,
          MOSAIC_DATABASE_MIGRATION_USER: empty.owner.user,
          POSTGRES_MIGRATION_PASSWORD: empty.owner.password,
        },
      };
    },
    name: "migrations",
    code: "database_empty",
    status: 8,
  },
  {
    what: "a database that lacks a migration",
    breakIt: async () => {
      const journal = "drizzle.__drizzle_migrations";
      await sql(
        `create schema kept; create table kept.newest as select * from ${journal} order by created_at desc limit 1`,
      );
      await sql(`delete from ${journal} where id = (select id from kept.newest)`);
      return { mend: () => sql(`insert into ${journal} select * from kept.newest; drop schema kept cascade`) };
    },
    name: "migrations",
    code: "database_behind",
    status: 8,
  },
  {
    what: "a listener for peers that does not answer",
    breakIt: async () => ({ environment: { MOSAIC_FEDERATION_PORT: String(await freePort()), MOSAIC_API_KEY: "" } }),
    name: "federation listener",
    code: "federation_listener_unreachable",
    status: 8,
  },
];

function expectFound(checks: readonly DoctorCheck[], { name, code, detail = /./u }: Seeded, status: string): void {
  const found = checks.find((check) => check.name === name && check.code === code);
  expect(found ?? checks).toMatchObject({
    name,
    code,
    status,
    detail: expect.stringMatching(detail) as string,
    remedy: expect.stringMatching(/./u) as string,
  });
}

function expectNoSecret(printed: string): void {
  for (const secret of stack.secrets) expect(printed.includes(secret)).toBe(false);
}

async function diagnosed({ breakIt }: Seeded): ReturnType<typeof diagnose> {
  const { environment = {}, mend } = await breakIt();
  try {
    return await diagnose({ ...stack.environment, ...environment });
  } finally {
    await mend?.();
  }
}

const titled = (seeded: readonly Seeded[]) => seeded.map((each) => [each.what, each] as const);

async function expectGreen(): Promise<readonly DoctorCheck[]> {
  const { overall, status, checks, tier, printed } = await diagnose(stack.environment);
  expect({ overall, status, tier, odd: checks.filter((check) => check.status !== "ok") }).toEqual({
    overall: "green",
    status: 0,
    tier: "federated",
    odd: [],
  });
  expectNoSecret(printed);
  return checks;
}

describe("a healthy federated gateway", () => {
  test("is green, with each service's host, port and latency", async () => {
    const checks = await expectGreen();
    const { address } = stack.roles.database;
    const service = { latency_ms: expect.any(Number) as number, took_ms: expect.any(Number) as number };
    const of = (name: string) => checks.find((check) => check.name === name);
    expect(of("postgresql")).toMatchObject({ host: address.host, port: address.port, ...service });
    expect(of("valkey")).toMatchObject({ host: stack.valkey.host, port: stack.valkey.port, ...service });
    expect(of("pgvector")?.detail).toMatch(/^version \d/u);
    expect(of("certificate authority")?.detail).toMatch(/^Mosaic gateway CA .* until 20/u);
    expect(of("federation listener")?.detail).toContain(`https://127.0.0.1:${stack.peers}, valid until`);
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "secrets",
        "database role",
        "migrating role",
        "second wall",
        "migrations",
        "database clock",
        "seal key",
      ]),
    );
  });
});

describe("the doctor is red, and the gateway still up, on", () => {
  test.each(titled(red))("%s", async (_, seeded) => {
    const began = performance.now();
    const { overall, status, checks, printed } = await diagnosed(seeded);
    expectFound(checks, seeded, "fault");
    expect({ overall, status }).toEqual({ overall: "red", status: seeded.status });
    expectNoSecret(printed);
    // Bounded, whatever hangs; the rest is the process's own start on a busy machine.
    for (const { name, took_ms: tookMs = 0 } of checks) expect([name, tookMs < 10_500]).toEqual([name, true]);
    expect(performance.now() - began).toBeLessThan(30_000);
  });
});

describe("the doctor is yellow on", () => {
  test.each(titled(yellow))("%s", async (_, seeded) => {
    const { overall, status, checks, printed } = await diagnosed(seeded);
    expectFound(checks, seeded, "warning");
    expect({ overall, status }).toEqual({ overall: "yellow", status: seeded.status });
    expectNoSecret(printed);
  });
});

// In this order: each takes more of the stack away.
describe("a gateway whose services go", () => {
  test("is green still, after all that", async () => {
    await expectGreen();
  });

  test("serves on without Valkey, and both are said", async () => {
    await stack.valkey.kill();
    await expect.poll(() => degraded(), { timeout: 20_000 }).toBe(true);
    const { overall, checks, printed } = await diagnose(stack.environment);
    expect(overall).toBe("red");
    expect(codesOf(checks)).toMatchObject({ valkey: "valkey_unreachable", readiness: "coordination_degraded" });
    expectNoSecret(printed);
    await stack.valkey.restart();
    await expect.poll(() => degraded(), { timeout: 20_000 }).toBe(false);
    await expectGreen();
  });

  test("and that is killed is red, with the checks of its services as before", async () => {
    await stack.gateway.kill();
    const { status, checks, printed } = await diagnose(stack.environment);
    expect(status).toBe(7);
    expect(codesOf(checks)).toEqual({ listener: "gateway_unreachable" });
    const of = (name: string) => checks.find((check) => check.name === name)?.status;
    expect([of("postgresql"), of("valkey"), of("certificate authority"), of("port for people")]).toEqual(
      Array.from({ length: 4 }, () => "ok"),
    );
    expectNoSecret(printed);
  });

  test("shows no secret to people either", async () => {
    const wrong = { POSTGRES_PASSWORD: WRONG, POSTGRES_MIGRATION_PASSWORD: WRONG, VALKEY_PASSWORD: WRONG };
    const { out, err, status } = await runDoctor({ ...stack.environment, ...wrong });
    expect([status, err]).toEqual([7, ""]);
    expect(out).toMatch(/^FAULT +postgresql .*wrong user or password/mu);
    expect(out).toMatch(/^FAULT +valkey .*wrong password/mu);
    expectNoSecret(out);
  });
});

const codesOf = (checks: readonly DoctorCheck[]): Record<string, string> =>
  Object.fromEntries(checks.flatMap(({ name, code }) => (code === undefined ? [] : [[name, code]])));

async function degraded(): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${stack.people}/readyz`);
  return ((await answer.json()) as { status: string }).status === "degraded";
}
