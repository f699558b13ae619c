import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type LoadedConfig, loadConfig, type Origin } from "../src/index.ts";
import { AUTH_SECRET, emptyDirectory, load, refusal, write } from "./workplace.ts";

function originOf({ settings }: LoadedConfig, path: string): Origin | undefined {
  return settings.find((setting) => setting.path === path)?.origin;
}

test("default, file, environment, flag: the last that says something wins, and is named", async () => {
  const directory = await emptyDirectory();
  const file = { http: { host: "127.0.0.2", port: 1, maxBodyBytes: 2000 }, log: { level: "warn" } };
  const environment = { HOME: directory, MOSAIC_HTTP_PORT: "2", MOSAIC_HTTP_MAX_BODY_BYTES: "3000" };
  const loaded = await load({ directory, file, environment, flags: { "http.port": 3, "log.level": undefined } });
  expect(loaded.config.http).toMatchObject({ host: "127.0.0.2", port: 3, maxBodyBytes: 3000 });
  expect(loaded.file).toBe(join(directory, "mosaic.config.json"));
  expect(originOf(loaded, "log.format")).toEqual({ kind: "default" });
  expect(originOf(loaded, "log.level")).toEqual({ kind: "file", file: loaded.file });
  expect(originOf(loaded, "http.maxBodyBytes")).toEqual({
    kind: "environment",
    variable: "MOSAIC_HTTP_MAX_BODY_BYTES",
  });
  expect(originOf(loaded, "http.port")).toEqual({ kind: "flag" });
});

test("every setting of the tier with a value has one row, and no setting of another tier has", async () => {
  const { settings } = await load();
  expect(settings.map(({ path }) => path).toSorted()).toEqual([
    "dataDirectory",
    "http.host",
    "http.maxBodyBytes",
    "http.port",
    "http.tls",
    "log.format",
    "log.level",
    "tier",
  ]);
});

test("what a database URL says is shown as its parts, with the variable that gave it, and the password as [secret]", async () => {
  const environment = {
    BETTER_AUTH_SECRET: AUTH_SECRET,
    DATABASE_URL: "postgresql://ada:hunter2@db/work",
    VALKEY_URL: "redis://:hunter3@valkey",
  };
  const loaded = await load({ file: { tier: "federated" }, environment });
  const origin = { kind: "environment", variable: "DATABASE_URL" };
  expect(loaded.settings).toContainEqual({ path: "database.host", value: "db", origin });
  expect(loaded.settings).toContainEqual({ path: "POSTGRES_PASSWORD", value: "[secret]", origin });
  expect(loaded.settings.map(({ path }) => path)).not.toContain("database.url");
  expect(loaded.settings).toContainEqual({
    path: "queue.url",
    value: "redis://valkey:6379/0",
    origin: { kind: "environment", variable: "VALKEY_URL" },
  });
});

test("a word replaces the parts an earlier source gave, and parts replace a word", async () => {
  const tls = { certificateFile: "/chain.pem", keyFile: "/key.pem" };
  const off = await load({ file: { http: { tls } }, environment: { MOSAIC_HTTP_TLS: "off" } });
  expect(off.config.http.tls).toBe("off");
  const environment = { MOSAIC_HTTP_TLS_CERTIFICATE_FILE: "/chain.pem", MOSAIC_HTTP_TLS_KEY_FILE: "/key.pem" };
  const files = await load({ file: { http: { tls: "off" } }, environment });
  expect(files.config.http.tls).toEqual(tls);
  const oneFile = await load({ file: { http: { tls } }, environment: { MOSAIC_HTTP_TLS_KEY_FILE: "/new.pem" } });
  expect(oneFile.config.http.tls).toEqual({ ...tls, keyFile: "/new.pem" });
});

test("a relative path starts at the file's folder, or at the working directory for a variable and a flag", async () => {
  const directory = await emptyDirectory();
  const file = await write(join(directory, "etc/mosaic.config.json"), '{"dataDirectory": "../data"}');
  const fromFile = await loadConfig({ directory, file: "etc/mosaic.config.json", environment: {} });
  expect(fromFile).toMatchObject({ file, config: { dataDirectory: join(directory, "data") } });
  const fromVariable = await load({ directory, environment: { MOSAIC_DATA_DIRECTORY: "here" } });
  expect(fromVariable.config).toMatchObject({ dataDirectory: join(directory, "here") });
  const fromFlag = await load({ directory, flags: { dataDirectory: "there" } });
  expect(fromFlag.config).toMatchObject({ dataDirectory: join(directory, "there") });
});

test("MOSAIC_CONFIG_FILE names the file, and the file option wins over it", async () => {
  const directory = await emptyDirectory();
  await write(join(directory, "one.json"), '{"http": {"port": 1}}');
  await write(join(directory, "two.json"), '{"http": {"port": 2}}');
  const environment = { MOSAIC_CONFIG_FILE: "one.json" };
  expect((await loadConfig({ directory, environment })).config.http.port).toBe(1);
  expect((await loadConfig({ directory, environment, file: "two.json" })).config.http.port).toBe(2);
});

test("a file that is named and not there is refused, and so is one that can't be read", async () => {
  const missing = await refusal({ environment: { MOSAIC_CONFIG_FILE: "nowhere.json" } });
  expect(missing.message).toMatch(/nowhere\.json.*does not exist/);
  const directory = await emptyDirectory();
  await mkdir(join(directory, "mosaic.config.json"));
  expect((await refusal({ directory })).message).toContain("can't be read (EISDIR)");
});

test("an empty variable is not set", async () => {
  const environment = {
    MOSAIC_HTTP_PORT: "",
    MOSAIC_NO_SUCH_THING: "",
    BETTER_AUTH_SECRET: "",
    BETTER_AUTH_SECRET_FILE: "",
  };
  const { config, secrets } = await load({ environment });
  expect(config.http.port).toBe(14_242);
  expect(secrets).toEqual({});
});

test("a Kubernetes Service named mosaic does not stop the boot", async () => {
  const environment = {
    MOSAIC_SERVICE_HOST: "10.0.0.1",
    MOSAIC_SERVICE_PORT: "14242",
    MOSAIC_SERVICE_PORT_HTTP: "14242",
    MOSAIC_PORT: "tcp://10.0.0.1:14242",
    MOSAIC_PORT_14242_TCP: "tcp://10.0.0.1:14242",
    MOSAIC_PORT_14242_TCP_ADDR: "10.0.0.1",
    MOSAIC_HTTP_PORT: "tcp://10.0.0.1:14242",
  };
  expect((await load({ environment })).config.http.port).toBe(14_242);
});

test("variables of the command line's own are left to it", async () => {
  const environment = { MOSAIC_API_KEY: "somebody else's" };
  await expect(load({ environment })).rejects.toMatchObject({ code: "config_invalid" });
  await expect(load({ environment, otherVariables: ["MOSAIC_API_KEY"] })).resolves.toHaveProperty("config");
});

test("process.env is the default environment", async () => {
  const directory = await emptyDirectory();
  process.env["MOSAIC_LOG_LEVEL"] = "trace";
  try {
    expect((await loadConfig({ directory })).config.log.level).toBe("trace");
  } finally {
    delete process.env["MOSAIC_LOG_LEVEL"];
  }
});
