import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { Problem } from "@mosaicstack/foundation";
import { openPostgres, type PostgresOptions, probePostgres } from "@mosaicstack/storage";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPrivatePostgresql } from "../../scripts/services/private-instances.ts";
import {
  newServerAuthority,
  selfSignedCertificate,
  type ServerAuthority,
  type ServerCertificate,
} from "./server-certificate.ts";

let authority: ServerAuthority;
let stranger: ServerAuthority;
let byAddress: ServerCertificate;
let server: Awaited<ReturnType<typeof startPrivatePostgresql>>;

beforeAll(async () => {
  authority = await newServerAuthority();
  stranger = await newServerAuthority();
  byAddress = await authority.issue({ ipAddresses: ["127.0.0.1"] });
  server = await startPrivatePostgresql({ tls: byAddress });
});
afterAll(() => server.stop());

const optionsOf = (more: Partial<PostgresOptions>): PostgresOptions => {
  const { host, port, user, password, database } = server;
  return { host, port, user, password, name: database, poolSize: 1, ...more };
};

async function reload(): Promise<void> {
  const client = new pg.Client({ ...server, ssl: { rejectUnauthorized: false } });
  await client.connect();
  await client.query("select pg_reload_conf()");
  await client.end();
  // The postmaster is only told; it reads them in its own time.
  await new Promise((resolve) => setTimeout(resolve, 300));
}

/** From now on the server presents this one. */
async function present({ certificate, key }: ServerCertificate): Promise<void> {
  await writeFile(join(server.directory, "tls.crt"), certificate);
  await writeFile(join(server.directory, "tls.key"), key);
  await reload();
}

/** Whether the server says that a store's connection is encrypted. */
async function isEncrypted(more: Partial<PostgresOptions>): Promise<boolean | undefined> {
  const store = await openPostgres(optionsOf(more));
  const rows = await store.query<{ ssl: boolean }>("select ssl from pg_stat_ssl where pid = pg_backend_pid()", []);
  await store.close();
  return rows[0]?.ssl;
}

/** Why neither opening nor a look gets through: both must say the same. */
async function refusalCause(more: Partial<PostgresOptions>): Promise<unknown> {
  const causes: unknown[] = [];
  for (const attempt of [openPostgres, probePostgres]) {
    const error: unknown = await (attempt(optionsOf(more)) as Promise<unknown>).catch((thrown: unknown) => thrown);
    if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${inspect(error)}`);
    expect(error.code).toBe("database_unreachable");
    expect(inspect(error, { depth: 9 })).not.toContain(server.password);
    causes.push(error.details["cause"]);
  }
  expect(causes[0]).toBe(causes[1]);
  return causes[0];
}

describe("verify", () => {
  test("encrypts, where chain and name are right, and the probe sees it", async () => {
    expect(await isEncrypted({ tls: "verify", ca: authority.root })).toBe(true);
    expect((await probePostgres(optionsOf({ tls: "verify", ca: authority.root }))).tls).toBe(true);
  });

  test("refuses another authority", async () => {
    expect(await refusalCause({ tls: "verify", ca: stranger.root })).toBe("its certificate's authority isn't trusted");
  });

  test("refuses a private authority that nobody named", async () => {
    expect(await refusalCause({ tls: "verify" })).toBe("its certificate's authority isn't trusted");
  });

  test("refuses another name", async () => {
    expect(await refusalCause({ tls: "verify", ca: authority.root, host: "localhost" })).toBe(
      "its certificate is for another host name",
    );
  });
});

describe("require", () => {
  test("encrypts and checks nothing", async () => {
    expect(await isEncrypted({ tls: "require" })).toBe(true);
    expect(await isEncrypted({ tls: "require", host: "localhost" })).toBe(true);
  });

  test("with an authority checks the chain, and not the name", async () => {
    expect(await isEncrypted({ tls: "require", ca: authority.root, host: "localhost" })).toBe(true);
    expect(await refusalCause({ tls: "require", ca: stranger.root })).toBe("its certificate's authority isn't trusted");
  });
});

describe("off", () => {
  test("doesn't encrypt", async () => {
    expect(await isEncrypted({ tls: "off", ca: authority.root })).toBe(false);
  });

  test("is told so by a server that demands encryption", async () => {
    const file = join(server.directory, "data/pg_hba.conf");
    const before = await readFile(file, "utf8");
    await writeFile(file, "hostssl all all 127.0.0.1/32 scram-sha-256\n");
    await reload();
    try {
      expect(await refusalCause({ tls: "off" })).toBe("the server doesn't let this user in without TLS");
      expect(await isEncrypted({ tls: "verify", ca: authority.root })).toBe(true);
    } finally {
      await writeFile(file, before);
      await reload();
    }
  });
});

describe("verify, of another certificate,", () => {
  beforeEach(() => present(byAddress));
  afterAll(() => present(byAddress));

  test("refuses a self-signed one, unless it's the very one that was named", async () => {
    const snakeoil = await selfSignedCertificate("127.0.0.1");
    await present(snakeoil);
    expect(await refusalCause({ tls: "verify" })).toBe("its certificate is self-signed");
    expect(await refusalCause({ tls: "verify", ca: stranger.root })).toBe("its certificate is self-signed");
    expect(await isEncrypted({ tls: "verify", ca: snakeoil.root })).toBe(true);
  });

  test("refuses one for localhost where an address was asked for", async () => {
    await present(await authority.issue({ dnsNames: ["localhost"] }));
    expect(await refusalCause({ tls: "verify", ca: authority.root })).toBe("its certificate is for another host name");
    expect(await isEncrypted({ tls: "verify", ca: authority.root, host: "localhost" })).toBe(true);
  });

  test("refuses one that has expired", async () => {
    const lastWeek = { now: () => new Date(Date.now() - 7 * 86_400_000) };
    const old = await newServerAuthority(lastWeek);
    await present(await old.issue({ ipAddresses: ["127.0.0.1"] }, lastWeek));
    expect(await refusalCause({ tls: "verify", ca: old.root })).toBe("its certificate has expired");
  });
});
