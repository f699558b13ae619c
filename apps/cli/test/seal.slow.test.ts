import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "@mosaicstack/config";
import { systemClock } from "@mosaicstack/foundation";
import { composeGateway, createLog } from "@mosaicstack/gateway";
import { dumpDatabase } from "@mosaicstack/harness";
import { openPglite } from "@mosaicstack/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { PASSWORD } from "./real-gateway.ts";
import { type Ran, runHere, type RunOptions, temporaryFolder } from "./run-here.ts";

const SECRET = "the credential nobody else is to see";

const SLOW_MS = 120_000;

/** The data of a gateway that has one credential, and its admin's key. */
let seeded: string;
let key: string;
let directory: string;
let dataDirectory: string;
beforeAll(async () => {
  seeded = await mkdtemp(join(tmpdir(), "mosaic-seal-"));
  await settle(seeded);
  key = await makeGateway();
}, SLOW_MS);
afterAll(() => rm(seeded, { recursive: true, force: true }));
beforeEach(async () => {
  await settle(await temporaryFolder());
});

/** A folder with a configuration, and an empty data directory. */
async function settle(folder: string): Promise<void> {
  directory = folder;
  dataDirectory = join(directory, "data");
  await mkdir(dataDirectory, { mode: 0o700 });
  const config = { tier: "local", dataDirectory, http: { port: 0 }, log: { level: "silent" } };
  await writeFile(join(directory, "mosaic.config.json"), JSON.stringify(config));
}

/** Puts the seeded gateway's data there. */
async function gatewayWithSecret(): Promise<void> {
  await cp(join(seeded, "data"), dataDirectory, { recursive: true });
}

/** Runs work on a gateway of the folder's configuration, and stops it. */
async function withGateway<Result>(
  environment: Record<string, string>,
  work: (url: string, setupCode: string) => Promise<Result>,
): Promise<Result> {
  const { config, secrets } = await loadConfig({ directory, environment });
  const gateway = await composeGateway({ config, secrets, clock: systemClock, log: createLog(config.log) });
  try {
    await gateway.start();
    return await work(gateway.urls().people, gateway.setupCode ?? "");
  } finally {
    await gateway.stop();
  }
}

/** A stopped gateway with one credential; gives its admin's key. */
async function makeGateway(): Promise<string> {
  return await withGateway({}, async (url, code) => {
    const answer = await fetch(`${url}/api/v1/setup`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, name: "Ada", email: "ada@example.org", password: PASSWORD }),
    });
    const { api_key: admin } = (await answer.json()) as { api_key: string };
    const variables = { MOSAIC_URL: url, MOSAIC_API_KEY: admin };
    const words = ["credential", "add", "vault", "--kind", "token", "--key", "C-1", "--secret-file", "-"];
    expect(await runHere(words, { directory, variables, input: SECRET })).toMatchObject({ status: 0 });
    return admin;
  });
}

async function reveal(environment: Record<string, string>): Promise<Ran> {
  return await withGateway(
    environment,
    async (url) =>
      await runHere(["credential", "reveal", "C-1"], { variables: { MOSAIC_URL: url, MOSAIC_API_KEY: key } }),
  );
}

const rotate = async (words: readonly string[] = [], options: RunOptions = {}): Promise<Ran> =>
  await runHere(["seal", "rotate", ...words], { directory, ...options });

async function stored(): Promise<string> {
  const store = await openPglite({ dataDirectory: join(dataDirectory, "database") });
  try {
    return JSON.stringify([...(await dumpDatabase(store))]);
  } finally {
    await store.close();
  }
}

describe("mosaic seal rotate", { timeout: SLOW_MS }, () => {
  test("makes a key of its own beside the other secret, readable by its owner alone, and says where; the gateway runs on it", async () => {
    await gatewayWithSecret();
    const ran = await rotate(["--yes"]);
    expect(ran).toMatchObject({ status: 0, err: expect.stringContaining("1 values are sealed with the new key") });
    expect(ran.out).toMatch(/^credentials +sealed_secret +1$/mu);
    const [name = "", ...others] = (await readdir(join(dataDirectory, "secrets"))).filter(
      (each) => each !== "auth-secret",
    );
    expect(others).toEqual([]);
    const file = join(dataDirectory, "secrets", name);
    expect(ran.err).toContain(`MOSAIC_SEAL_KEY_FILE=${file}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const made = (await readFile(file, "utf8")).trim();
    const old = (await readFile(join(dataDirectory, "secrets/auth-secret"), "utf8")).trim();
    expect(made.length).toBeGreaterThanOrEqual(64);
    for (const text of [made, old, SECRET]) expect(ran.out + ran.err).not.toContain(text);

    expect(await reveal({ MOSAIC_SEAL_KEY_FILE: file })).toMatchObject({ status: 0, out: SECRET });
  });

  test("a gateway that is started with the old key afterwards does not start, and says which variables to look at", async () => {
    await gatewayWithSecret();
    await rotate(["--yes"]);
    await expect(withGateway({}, async () => "it serves")).rejects.toMatchObject({
      code: "seal_key_differs",
      details: { remedy: expect.stringContaining("MOSAIC_SEAL_KEY_FILE") as unknown },
    });
  });

  test("takes a key from a file, and from standard input, and prints neither", async () => {
    await gatewayWithSecret();
    const second = "the second key, of more than 32 characters";
    await writeFile(join(directory, "second"), `${second}\n`, { mode: 0o600 });
    const ran = await rotate(["--new-key-file", "second", "--yes", "--json"]);
    expect(ran.status).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({
      data: {
        dry_run: false,
        values: 1,
        next: { variables: { MOSAIC_SEAL_KEY_FILE: join(directory, "second") }, unset: [] },
      },
    });
    expect(ran.out + ran.err).not.toContain(second);
    const third = "the third key, of more than 32 characters";
    const again = await rotate(["--new-key-file", "-", "--yes"], {
      variables: { MOSAIC_SEAL_KEY: second },
      input: third,
    });
    expect(again).toMatchObject({ status: 0, err: expect.stringContaining("unset MOSAIC_SEAL_KEY") });
    expect(again.out + again.err).not.toContain(third);
    expect(await reveal({ MOSAIC_SEAL_KEY: third })).toMatchObject({ status: 0, out: SECRET });
  });

  test("with --dry-run opens everything, counts, writes nothing and makes no key", async () => {
    await gatewayWithSecret();
    const before = await stored();
    const ran = await rotate(["--dry-run"]);
    expect(ran).toMatchObject({ status: 0, err: expect.stringContaining("Nothing was written (--dry-run).") });
    expect(ran.out).toMatch(/^credentials +sealed_secret +1$/mu);
    expect(await stored()).toBe(before);
    expect(await readdir(join(dataDirectory, "secrets"))).toEqual(["auth-secret"]);
  });

  test("with a wrong old key names what does not open, changes nothing and leaves no key behind", async () => {
    await gatewayWithSecret();
    const before = await stored();
    const ran = await rotate(["--yes"], { variables: { MOSAIC_SEAL_KEY: "not what it was sealed with, not at all" } });
    expect(ran).toMatchObject({ status: 6, out: "", err: expect.stringContaining("credentials.sealed_secret: 1 (") });
    expect(ran.err).toContain("(seal_values_unopened)");
    expect(await stored()).toBe(before);
    expect(await readdir(join(dataDirectory, "secrets"))).toEqual(["auth-secret"]);
  });

  test("refuses while the gateway runs", async () => {
    await gatewayWithSecret();
    const ran = await withGateway({}, async () => await rotate(["--yes"]));
    expect(ran).toMatchObject({ status: 6, err: expect.stringContaining("(data_directory_locked)") });
  });

  test("asks before, and where nobody can be asked wants --yes", async () => {
    await gatewayWithSecret();
    const before = await stored();
    expect(await rotate()).toMatchObject({ status: 2, err: expect.stringContaining("(confirmation_needed)") });
    expect(await rotate([], { terminal: { keys: ["n"] } })).toMatchObject({ status: 130 });
    expect(await stored()).toBe(before);
  });

  test.each([
    ["a key that is too short", "short", 2, "fewer than 32 characters"],
    ["the key it has", "the first key, of more than 32 characters", 2, "is the one the gateway has"],
  ])("refuses %s", async (_, given, status, what) => {
    const variables = { MOSAIC_SEAL_KEY: "the first key, of more than 32 characters" };
    const ran = await rotate(["--new-key-file", "-", "--yes"], { variables, input: given });
    expect(ran).toMatchObject({ status, err: expect.stringContaining(what) });
  });

  test("where no gateway ever ran, says so and makes nothing", async () => {
    expect(await rotate(["--yes"])).toMatchObject({ status: 5, err: expect.stringContaining("auth-secret") });
    const variables = { MOSAIC_SEAL_KEY: "the first key, of more than 32 characters" };
    expect(await rotate(["--yes"], { variables })).toMatchObject({
      status: 5,
      err: expect.stringContaining("(source_missing)"),
    });
    expect(await readdir(dataDirectory)).toEqual([]);
  });

  test("where the new key can't be written, nothing is changed", async () => {
    await gatewayWithSecret();
    const before = await stored();
    const secrets = join(dataDirectory, "secrets");
    await chmod(secrets, 0o500);
    onTestFinished(async () => await chmod(secrets, 0o700));
    const ran = await rotate(["--yes"]);
    // A superuser may write everywhere.
    if (process.getuid?.() === 0) return;
    expect(ran).toMatchObject({ status: 1, err: expect.stringContaining("(file_unwritable)") });
    expect(await stored()).toBe(before);
  });
});

test("on PostgreSQL there is no folder for a key: without a terminal --new-key-file is asked for", async () => {
  const database = { host: "127.0.0.1", port: 1, name: "mosaic", user: "mosaic" };
  await writeFile(join(directory, "mosaic.config.json"), JSON.stringify({ tier: "standalone", database }));
  const variables = { BETTER_AUTH_SECRET: "a secret of a test, longer than thirty-two characters" };
  expect(await rotate(["--yes"], { variables })).toMatchObject({
    status: 2,
    err: expect.stringContaining("--new-key-file"),
  });
});

test("on PostgreSQL a terminal is asked for the new key's path, and nothing is written before everything is sealed", async () => {
  const database = { host: "127.0.0.1", port: 1, name: "mosaic", user: "mosaic" };
  await writeFile(join(directory, "mosaic.config.json"), JSON.stringify({ tier: "standalone", database }));
  const variables = { BETTER_AUTH_SECRET: "a secret of a test, longer than thirty-two characters" };
  const file = join(directory, "made-key");
  const ran = await rotate(["--yes"], { variables, terminal: { keys: [file, "\r"] } });
  expect(ran).toMatchObject({ status: 7, err: expect.stringContaining("(database_unreachable)") });
  expect(ran.err).toContain("Where to write the new key");
  expect(await readdir(directory)).not.toContain("made-key");
  await writeFile(file, "a key");
  expect(await rotate(["--yes"], { variables, terminal: { keys: [file, "\r"] } })).toMatchObject({
    status: 6,
    err: expect.stringContaining("(file_exists)"),
  });
});
