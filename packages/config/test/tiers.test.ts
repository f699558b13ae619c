import { join } from "node:path";
import { expect, test } from "vitest";
import { AUTH_SECRET, emptyDirectory, load } from "./workplace.ts";

const environment = { BETTER_AUTH_SECRET: AUTH_SECRET };
const http = { host: "127.0.0.1", port: 14_242, tls: "off", maxBodyBytes: 1_048_576 };
const log = { level: "info", format: "json" };
const certificateAuthority = { kind: "embedded" };
const federation = {
  host: "127.0.0.1",
  port: 14_443,
  certificateLifetimeDays: 7,
  inviteLifetimeMinutes: 15,
  deadlineMs: 2000,
  maxRowsPerQuery: 200,
};
const database = { host: "db", port: 5432, name: "mosaic", user: "mosaic", tls: "off", poolSize: 10 };

test("nothing said: tier local in the XDG data folder, no file, no secret, no warning", async () => {
  const directory = await emptyDirectory();
  const loaded = await load({ directory });
  expect(loaded.config).toEqual({
    tier: "local",
    dataDirectory: join(directory, ".local/share/mosaic"),
    http,
    log,
  });
  expect(loaded).toMatchObject({ secrets: {}, warnings: [] });
  expect(loaded).not.toHaveProperty("file");
});

test("XDG_DATA_HOME moves the default data folder; a relative one counts as not set, as the specification has it", async () => {
  const moved = await load({ environment: { HOME: "/home/ada", XDG_DATA_HOME: "/srv/data" } });
  expect(moved.config).toMatchObject({ dataDirectory: "/srv/data/mosaic" });
  const relative = await load({ environment: { HOME: "/home/ada", XDG_DATA_HOME: "data" } });
  expect(relative.config).toMatchObject({ dataDirectory: "/home/ada/.local/share/mosaic" });
});

test("standalone has a database and neither folder, queue nor federation", async () => {
  const { config } = await load({ file: { tier: "standalone", database: { host: "db" } }, environment });
  expect(config).toEqual({ tier: "standalone", database, http, log });
});

test("team is standalone, and warns once", async () => {
  const { config, settings, warnings } = await load({ file: { tier: "team", database: { host: "db" } }, environment });
  expect(config.tier).toBe("standalone");
  expect(settings.find(({ path }) => path === "tier")?.value).toBe("standalone");
  expect(warnings).toEqual([{ path: "tier", message: expect.stringContaining('"standalone"') }]);
});

test("federated has a database, Valkey, an authority and a listener for peers", async () => {
  const file = { tier: "federated", database: { host: "db" }, queue: { url: "redis://valkey" } };
  const { config } = await load({ file, environment });
  expect(config).toEqual({
    tier: "federated",
    embedded: false,
    database,
    queue: { kind: "bullmq", host: "valkey", port: 6379, database: 0, tls: false },
    certificateAuthority,
    federation,
    http,
    log,
  });
});

test("federated and embedded needs nothing but a folder", async () => {
  const directory = await emptyDirectory();
  const { config } = await load({ directory, file: { tier: "federated", embedded: true, dataDirectory: "data" } });
  expect(config).toEqual({
    tier: "federated",
    embedded: true,
    dataDirectory: join(directory, "data"),
    queue: { kind: "in-process" },
    certificateAuthority,
    federation,
    http,
    log,
  });
});

test("the tier may come from a variable or a flag as well", async () => {
  const fromVariable = await load({ environment: { MOSAIC_TIER: "federated", MOSAIC_EMBEDDED: "true" } });
  expect(fromVariable.config).toMatchObject({ tier: "federated", embedded: true });
  const fromFlag = await load({ flags: { tier: "federated", embedded: true } });
  expect(fromFlag.config).toMatchObject({ tier: "federated", embedded: true });
});

test("a certificate's files stand in http.tls, absolute; auto is for tier federated", async () => {
  const directory = await emptyDirectory();
  const tls = { certificateFile: "tls/chain.pem", keyFile: "~/key.pem" };
  const files = await load({ directory, file: { http: { tls } }, environment: { HOME: "/home/ada" } });
  expect(files.config.http.tls).toEqual({
    certificateFile: join(directory, "tls/chain.pem"),
    keyFile: "/home/ada/key.pem",
  });
  const auto = await load({ file: { tier: "federated", embedded: true, http: { tls: "auto" } } });
  expect(auto.config.http.tls).toBe("auto");
});

test.each([
  [
    "postgresql://ada:pw@db:6000/work?sslmode=verify-full",
    { host: "db", port: 6000, name: "work", user: "ada", tls: "verify" },
    "pw",
  ],
  ["postgres://db", { host: "db", port: 5432, name: "mosaic", user: "mosaic", tls: "off" }, undefined],
  ["postgresql:///work?host=/run/postgresql", { host: "/run/postgresql", name: "work" }, undefined],
  ["postgresql://ada:p%40s%2Fs%23@[::1]/work?sslmode=require", { host: "::1", tls: "require" }, "p@s/s#"],
])("DATABASE_URL %s is taken apart, its password kept aside", async (url, parts, password) => {
  const { config, secrets } = await load({
    environment: { ...environment, MOSAIC_TIER: "standalone", DATABASE_URL: url },
  });
  expect(config).toMatchObject({ database: parts });
  expect(secrets.databasePassword?.reveal()).toBe(password);
});

test.each([
  [
    "rediss://worker:pw@valkey:7000/3",
    { host: "valkey", port: 7000, database: 3, username: "worker", tls: true },
    "pw",
  ],
  ["valkey://:pw@[::1]", { host: "::1", port: 6379, database: 0, tls: false }, "pw"],
])("VALKEY_URL %s is taken apart, its password kept aside", async (url, parts, password) => {
  const variables = { ...environment, MOSAIC_TIER: "federated", DATABASE_URL: "postgresql://db", VALKEY_URL: url };
  const { config, secrets } = await load({ environment: variables });
  expect(config).toMatchObject({ queue: { kind: "bullmq", ...parts } });
  expect(secrets.queuePassword?.reveal()).toBe(password);
});

test("a URL says no more than it says: the file's name, user and tls stay", async () => {
  const file = { tier: "standalone", database: { host: "old", port: 6000, name: "work", user: "ada", tls: "verify" } };
  const { config } = await load({ file, environment: { ...environment, DATABASE_URL: "postgresql://db" } });
  expect(config).toMatchObject({ database: { host: "db", port: 5432, name: "work", user: "ada", tls: "verify" } });
});

test("listening to other machines without TLS warns, and not behind an https address", async () => {
  const open = await load({ file: { http: { host: "0.0.0.0" } } });
  expect(open.warnings).toMatchObject([{ path: "http.host" }]);
  const behindProxy = await load({ file: { http: { host: "0.0.0.0", publicUrl: "https://mosaic.example/" } } });
  expect(behindProxy.warnings).toEqual([]);
  expect(behindProxy.config.http.publicUrl).toBe("https://mosaic.example");
});
