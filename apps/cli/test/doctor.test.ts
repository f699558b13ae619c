import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { lockDataDirectory } from "@mosaicstack/storage";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Check, overallOf } from "../src/doctor/check.ts";
import { checkDiskSpace } from "../src/doctor/disk-space-check.ts";
import { runCommand } from "../src/program.ts";
import { runHere, temporaryFolder, testHost } from "./run-here.ts";

/** Thirty-two characters at least; no answer may hold it. */
const SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2";
const DATABASE_PASSWORD = "open-sesame-of-the-database";

interface Sick {
  /** What `mosaic.config.json` says, below a tier local with its data in `data`. */
  readonly file?: Readonly<Record<string, unknown>>;
  readonly words?: readonly string[];
  readonly variables?: Record<string, string>;
}

interface Finding {
  readonly overall: string;
  readonly tier: string | null;
  readonly checks: readonly Omit<Check, "cause">[];
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => await new Promise<void>((resolve) => void server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

async function writeSecret(folder: string, text: string, mode = 0o600): Promise<void> {
  await mkdir(join(folder, "data/secrets"), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "data/secrets/auth-secret"), text);
  await chmod(join(folder, "data/secrets/auth-secret"), mode);
}

async function examined(
  folder: string,
  { file, words = [], variables = {} }: Sick,
): Promise<Finding & { status: number }> {
  const config = { tier: "local", dataDirectory: "data", http: { port: await freePort() }, ...file };
  await writeFile(join(folder, "mosaic.config.json"), JSON.stringify(config));
  const { status, out, err } = await runHere(["gateway", "doctor", "--json", ...words], {
    directory: folder,
    variables,
  });
  expect(out + err).not.toMatch(new RegExp(`${SECRET}|${DATABASE_PASSWORD}`, "u"));
  return { status, ...(JSON.parse(out) as { data: Finding }).data };
}

const federated = { tier: "federated", embedded: true };
const standalone = {
  tier: "standalone",
  dataDirectory: undefined,
  database: { host: "127.0.0.1", user: "u", name: "n" },
};

/** What is broken, how, what the doctor calls it, and with which status the command ends. */
const faults: readonly (readonly [
  what: string,
  breakIt: (folder: string) => Promise<Sick> | Sick,
  name: string,
  code: string,
  status: number,
])[] = [
  ["a setting nobody knows", () => ({ file: { teir: "local" } }), "configuration", "config_invalid", 3],
  ["a tier nobody knows", () => ({ file: { tier: "loco" } }), "configuration", "config_invalid", 3],
  [
    "no BETTER_AUTH_SECRET on a tier that can't generate one",
    () => ({ file: standalone, variables: { POSTGRES_PASSWORD: DATABASE_PASSWORD } }),
    "configuration",
    "secret_missing",
    3,
  ],
  [
    "a secret that is too short",
    () => ({ variables: { BETTER_AUTH_SECRET: SECRET.slice(0, 20) } }),
    "configuration",
    "config_invalid",
    3,
  ],
  [
    "a file of PostgreSQL's authority that is not there",
    () => ({
      file: { ...standalone, database: { ...standalone.database, tls: "verify", caFile: "none.pem" } },
      variables: { BETTER_AUTH_SECRET: SECRET, POSTGRES_PASSWORD: DATABASE_PASSWORD },
    }),
    "postgresql",
    "config_invalid",
    3,
  ],
  [
    "a PostgreSQL that is not there",
    async () => ({
      file: { ...standalone, database: { ...standalone.database, port: await freePort() } },
      variables: { BETTER_AUTH_SECRET: SECRET, POSTGRES_PASSWORD: DATABASE_PASSWORD },
    }),
    "postgresql",
    "database_unreachable",
    7,
  ],
  [
    "a generated secret that others can read",
    async (folder) => {
      await writeSecret(folder, SECRET, 0o644);
      return {};
    },
    "secrets",
    "secret_file_exposed",
    3,
  ],
  [
    "a generated secret that was cut short",
    async (folder) => {
      await writeSecret(folder, SECRET.slice(0, 9));
      return {};
    },
    "secrets",
    "secret_file_damaged",
    3,
  ],
  [
    "another BETTER_AUTH_SECRET than the generated one",
    async (folder) => {
      await writeSecret(folder, SECRET);
      return { variables: { BETTER_AUTH_SECRET: `${SECRET}-another` } };
    },
    "secrets",
    "secret_conflict",
    3,
  ],
  [
    "a database whose generated secret is gone",
    async (folder) => {
      await mkdir(join(folder, "data/database"), { recursive: true });
      return {};
    },
    "secrets",
    "secret_lost",
    1,
  ],
  [
    "a data directory that is a file",
    async (folder) => {
      await writeFile(join(folder, "data"), "");
      return {};
    },
    "data directory",
    "data_directory_unusable",
    7,
  ],
  [
    "a data directory somebody has open, and no gateway",
    async (folder) => {
      const lock = await lockDataDirectory(join(folder, "data/database"));
      onTestFinished(async () => await lock.release());
      await writeSecret(folder, SECRET);
      return {};
    },
    "data directory",
    "data_directory_locked",
    6,
  ],
  [
    "a certificate that is not there",
    () => ({ file: { http: { port: 14_242, tls: { certificateFile: "none.pem", keyFile: "none.key" } } } }),
    "tls files",
    "tls_unusable",
    3,
  ],
  [
    "a certificate that is none",
    async (folder) => {
      await writeFile(join(folder, "tls.pem"), `-----BEGIN CERTIFICATE-----\n${SECRET}\n-----END CERTIFICATE-----\n`);
      return { file: { http: { port: 14_242, tls: { certificateFile: "tls.pem", keyFile: "tls.pem" } } } };
    },
    "tls files",
    "tls_unusable",
    3,
  ],
  ["a gateway that is down", () => ({}), "listener", "gateway_unreachable", 7],
  [
    "another program on the gateway's port",
    async () => ({ file: { http: { port: await listening(createHttpServer((_, answer) => answer.end("Hello"))) } } }),
    "port for people",
    "port_in_use",
    1,
  ],
  [
    "another program on the port for peers",
    async () => ({ file: { ...federated, federation: { port: await listening(createServer()) } } }),
    "port for peers",
    "port_in_use",
    7,
  ],
  [
    "an address that is not this machine's",
    () => ({ file: { ...federated, federation: { host: "192.0.2.1" } } }),
    "port for peers",
    "address_unavailable",
    7,
  ],
];

describe("the doctor is red on", () => {
  test.each(faults)("%s", async (_, breakIt, name, code, status) => {
    const folder = await temporaryFolder();
    const found = await examined(folder, await breakIt(folder));
    expect(found.checks).toContainEqual(
      expect.objectContaining({ name, code, status: "fault", remedy: expect.stringMatching(/./u) as string }),
    );
    expect({ overall: found.overall, status: found.status }).toEqual({ overall: "red", status });
  });

  test("each fault of a configuration, each with its remedy", async () => {
    const { checks, tier } = await examined(await temporaryFolder(), { file: { teir: "x", http: { port: "no" } } });
    expect(checks.filter(({ code }) => code === "config_invalid").map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^teir: /u),
      expect.stringMatching(/^http\.port: /u),
    ]);
    expect(tier).toBeNull();
  });
});

describe("with nothing wrong but that the gateway is down", () => {
  test("everything else is ok, and nothing was made", async () => {
    const folder = await temporaryFolder();
    const { checks, tier } = await examined(folder, { file: federated });
    expect(tier).toBe("federated");
    const rest = checks.filter(({ name }) => name !== "listener");
    expect(rest.map(({ name, status }) => [name, status])).toEqual([
      ["configuration", "ok"],
      ["secrets", "ok"],
      ["data directory", "ok"],
      ["disk space", "ok"],
      ["port for people", "ok"],
      ["port for peers", "ok"],
    ]);
    for (const { name, took_ms: tookMs } of rest.slice(1)) expect([name, typeof tookMs]).toEqual([name, "number"]);
    await expect(mkdir(join(folder, "data"))).resolves.toBeUndefined();
  });
});

describe("disk space", () => {
  const mebibytes = (count: number) => async (): Promise<number> => await Promise.resolve(count * 2 ** 20);

  test.each([
    [2000, "ok", undefined],
    [1024, "ok", undefined],
    [1023, "warning", "disk_low"],
    [100, "warning", "disk_low"],
    [99, "fault", "disk_full"],
  ])("of %i MiB is %s", async (count, status, code) => {
    const check = await checkDiskSpace("/data", mebibytes(count));
    expect(check).toMatchObject({ status, detail: expect.stringContaining(`${count} MiB`) as string });
    expect(check.code).toBe(code);
  });

  test("is that of the folder above where there is none yet", async () => {
    const folder = await temporaryFolder();
    expect((await checkDiskSpace(join(folder, "a/b"))).detail).toContain(`free at ${folder}`);
  });
});

test("Ctrl-C ends it, whatever is being asked", async () => {
  const folder = await temporaryFolder();
  const sockets: Socket[] = [];
  const mute = createServer((socket) => void sockets.push(socket));
  const port = await listening(mute);
  const asked = new Promise((resolve) => mute.once("connection", resolve));
  const stop = new AbortController();
  const { host, err } = testHost(folder, {
    variables: { BETTER_AUTH_SECRET: SECRET, POSTGRES_PASSWORD: DATABASE_PASSWORD },
  });
  const database = { host: "127.0.0.1", port, user: "u", name: "n" };
  await writeFile(join(folder, "mosaic.config.json"), JSON.stringify({ tier: "standalone", database }));
  const running = runCommand(["gateway", "doctor"], { ...host, signal: stop.signal });
  await asked;
  stop.abort();
  expect(await running).toBe(130);
  for (const socket of sockets) socket.destroy();
  expect(err()).toContain("Stopped");
});

test("overall follows from the worst", () => {
  const of = (...statuses: Check["status"][]): Check[] => statuses.map((status) => ({ name: "a", status, detail: "" }));
  expect(overallOf(of("ok", "skipped"))).toBe("green");
  expect(overallOf(of("ok", "warning"))).toBe("yellow");
  expect(overallOf(of("warning", "fault"))).toBe("red");
});
