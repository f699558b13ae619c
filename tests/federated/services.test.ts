import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { systemClock } from "@mosaicstack/foundation";
import { Redis } from "ioredis";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  startPrivatePostgresql,
  startPrivateStepCa,
  startPrivateValkey,
} from "../../scripts/services/private-instances.ts";
import { postgresql } from "../../scripts/services/postgresql.ts";
import { startServices } from "../../scripts/services/running-services.ts";
import { stepCa } from "../../scripts/services/step-ca.ts";

import { valkey } from "../../scripts/services/valkey.ts";

type Postgresql = Awaited<ReturnType<typeof startPrivatePostgresql>>;
type Valkey = Awaited<ReturnType<typeof startPrivateValkey>>;

interface Tls {
  readonly certificate: string;
  readonly key: string;
  readonly root: string;
}

/** A certificate for 127.0.0.1, of an authority made for it. */
async function newTls(): Promise<Tls> {
  const authority = await openEmbeddedAuthority({
    ...(await createEmbeddedAuthority({ clock: systemClock })),
    clock: systemClock,
  });
  const { csrPem, privateKeyPem } = await createSigningRequest();
  const csr = Buffer.from(csrPem.replace(/-----[^-]+-----/g, ""), "base64");
  const notAfter = new Date(Date.now() + 3_600_000);
  const issued = await authority.issue({ kind: "server", csr, dnsNames: [], ipAddresses: ["127.0.0.1"], notAfter });
  return { certificate: issued.certificatePem, key: privateKeyPem, root: authority.rootPem };
}

async function query<Row extends pg.QueryResultRow>(
  { host, port, user, password, database }: Postgresql,
  sql: string,
  options: pg.ClientConfig = {},
): Promise<Row[]> {
  const client = new pg.Client({ host, port, user, password, database, ...options });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** What comes of a connection. */
function connectionTo(port: number): Promise<"refused" | "open"> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve("refused"));
    socket.once("connect", () => {
      socket.destroy();
      resolve("open");
    });
  });
}

/** Whether a text is on the command line of any process. The list itself is nobody's business. */
function isListed(text: string): boolean {
  return execFileSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" }).includes(text);
}

describe("a private PostgreSQL", () => {
  let tls: Tls;
  let server: Postgresql;
  beforeAll(async () => {
    tls = await newTls();
    server = await startPrivatePostgresql({ tls });
  });
  afterAll(() => server.stop());

  test("serves TLS with the certificate it's given", async () => {
    const encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    expect(await query(server, encrypted, { ssl: { ca: tls.root } })).toEqual([{ ssl: true }]);
    const another = await newTls();
    await expect(query(server, encrypted, { ssl: { ca: another.root } })).rejects.toThrow("certificate");
  });

  test("has pgvector and pg_trgm", async () => {
    await query(server, "create extension vector; create extension pg_trgm");
    expect(await query(server, "select '[1,2]'::vector <-> '[1,3]' as distance")).toEqual([{ distance: 1 }]);
  });

  test("is gone when it's killed, and has its data at the same address when it's started again", async () => {
    await query(server, "create table kept as select 7 as number");
    await server.kill();
    expect(await connectionTo(server.port)).toBe("refused");
    expect(isListed(server.directory)).toBe(false);
    await server.restart();
    expect(await query(server, "select number from kept")).toEqual([{ number: 7 }]);
  });

  test("lets those wait who ask while it's paused, also over a connection they have", async () => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    server.pause();
    const asked = client.query("select 1 as one").then(({ rows }) => rows as unknown[]);
    expect(await Promise.race([asked, wait(700, "nothing")])).toBe("nothing");
    await expect(query(server, "select 1", { connectionTimeoutMillis: 500 })).rejects.toThrow("timeout");
    server.resume();
    expect(await asked).toEqual([{ one: 1 }]);
    await client.end();
  });

  test("keeps its password out of the list of processes", () => {
    expect(isListed(server.directory)).toBe(true);
    expect(isListed(server.password)).toBe(false);
  });
});

test("a private PostgreSQL without pgvector refuses that extension, and no other", async () => {
  const server = await startPrivatePostgresql({ withoutVector: true });
  try {
    const available = "select name from pg_available_extensions where name in ('vector', 'pg_trgm')";
    expect(await query(server, available)).toEqual([{ name: "pg_trgm" }]);
    await expect(query(server, "create extension vector")).rejects.toMatchObject({ code: "0A000" });
    await query(server, "create extension pg_trgm");
  } finally {
    await server.stop();
  }
  expect(isListed(server.directory)).toBe(false);
});

describe("a private Valkey", () => {
  let server: Valkey;
  let client: Redis;
  beforeAll(async () => {
    server = await startPrivateValkey();
    client = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on("error", () => undefined);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  test("wants its password, which is not in the list of processes", async () => {
    const stranger = new Redis(server.port, server.host, { retryStrategy: () => null });
    stranger.on("error", () => undefined);
    await expect(stranger.get("key")).rejects.toThrow("NOAUTH");
    stranger.disconnect();
    expect(isListed(server.password)).toBe(false);
  });

  test("never throws away what a queue keeps in it", async () => {
    expect(await client.config("GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "noeviction"]);
  });

  test("is gone when it's killed, and has its data at the same address when it's started again", async () => {
    await client.set("kept", "7");
    await server.kill();
    expect(await connectionTo(server.port)).toBe("refused");
    await server.restart();
    expect(await client.get("kept")).toBe("7");
  });

  test("lets those wait who ask while it's paused", async () => {
    await client.ping();
    server.pause();
    const asked = client.ping();
    expect(await Promise.race([asked, wait(300, "nothing")])).toBe("nothing");
    server.resume();
    expect(await asked).toBe("PONG");
  });
});

test("a private Valkey with TLS and a user serves nobody else", async () => {
  const tls = await newTls();
  const server = await startPrivateValkey({ tls, username: "mosaic", password: "secret" });
  const client = new Redis(server.url, { tls: { ca: tls.root }, retryStrategy: () => null });
  const byDefault = new Redis(server.port, server.host, {
    tls: { ca: tls.root },
    password: "secret",
    retryStrategy: () => null,
  });
  const complaints: string[] = [];
  byDefault.on("error", ({ message }: Error) => complaints.push(message));
  try {
    expect(await client.ping()).toBe("PONG");
    await expect(byDefault.ping()).rejects.toThrow("closed");
    expect(complaints.join()).toContain("WRONGPASS");
  } finally {
    client.disconnect();
    byDefault.disconnect();
    await server.stop();
  }
});

test("a private step-ca keeps its root over a kill, and waits while it's paused", async () => {
  const server = await startPrivateStepCa();
  try {
    await server.kill();
    expect(await connectionTo(server.port)).toBe("refused");
    await server.restart();
    // Its readiness is a TLS call that trusts the root alone, so it has been made.
    server.pause();
    expect(await connectionTo(server.port)).toBe("open");
    server.resume();
  } finally {
    await server.stop();
  }
  expect(isListed(server.directory)).toBe(false);
});

test("services that the environment names are left alone, and told without their passwords", async () => {
  const variables = [postgresql, valkey, stepCa].flatMap((service) => service.variables);
  const given = Object.fromEntries(variables.map((variable) => [variable, "redis://:a-password@db.example:99/0"]));
  const { running, started, ...told } = await startServices(() => undefined, given);
  expect({ running, started }).toEqual({ running: [], started: [] });
  expect(told.given.map(({ name, host }) => [name, host])).toEqual([
    ["postgresql", "db.example:99"],
    ["valkey", "db.example:99"],
    ["step-ca", "db.example:99"],
  ]);
  expect(JSON.stringify(told)).not.toContain("a-password");
});

test.each([
  ["PostgreSQL", postgresql, ["python3 with pip, and npm", "MOSAIC_TEST_DATABASE_URL="]],
  ["Valkey", valkey, ["apt-get install valkey-server", "brew install valkey", "MOSAIC_TEST_VALKEY_URL="]],
  ["step-ca", stepCa, ["It needs Go", "go.dev/dl", "MOSAIC_TEST_STEP_CA_*"]],
] as const)("without its software, %s says what to install, or which variable to set", async (_, service, words) => {
  const directory = await mkdtemp(join(tmpdir(), "mosaic-nothing-"));
  const path = process.env["PATH"];
  process.env["PATH"] = directory;
  try {
    const preparation = { cache: join(directory, "cache"), report: () => undefined };
    const refusal = await service.prepare(directory, preparation).then(
      () => "",
      (error: unknown) => (error as Error).message,
    );
    for (const word of words) expect(refusal).toContain(word);
  } finally {
    process.env["PATH"] = path;
    await rm(directory, { recursive: true });
  }
});
