import { chmod, mkdir, readdir, readFile, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ensureSecrets, type LoadedConfig } from "../src/index.ts";
import { AUTH_SECRET, emptyDirectory, load, write } from "./workplace.ts";

const SECRET = "another-secret-of-more-than-32-characters";

async function embedded(environment: NodeJS.ProcessEnv = {}): Promise<{ loaded: LoadedConfig; secretFile: string }> {
  const directory = await emptyDirectory();
  const loaded = await load({ directory, file: { dataDirectory: "data" }, environment });
  return { loaded, secretFile: join(directory, "data/secrets/auth-secret") };
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

test("the first start generates the secret for the owner's eyes only, and each further start finds it", async () => {
  const { loaded, secretFile } = await embedded();
  const first = await ensureSecrets(loaded);
  expect(first.authSecret.reveal()).toMatch(/^[\w-]{64}$/);
  expect(await modeOf(secretFile)).toBe(0o600);
  expect(await modeOf(join(secretFile, ".."))).toBe(0o700);
  expect(await readdir(join(secretFile, ".."))).toEqual(["auth-secret"]);
  expect((await ensureSecrets(loaded)).authSecret.reveal()).toBe(first.authSecret.reveal());
});

test("two gateways get two secrets", async () => {
  const [one, other] = [await embedded(), await embedded()];
  const secrets = await Promise.all([ensureSecrets(one.loaded), ensureSecrets(other.loaded)]);
  expect(secrets[0].authSecret.reveal()).not.toBe(secrets[1].authSecret.reveal());
});

test("a start that died while it wrote the secret leaves the next one free to", async () => {
  const { loaded, secretFile } = await embedded();
  await write(`${secretFile}.new`, "half a sec", 0o600);
  expect((await ensureSecrets(loaded)).authSecret.reveal()).toHaveLength(64);
  expect(await readdir(join(secretFile, ".."))).toEqual(["auth-secret"]);
});

test("a secret that is given is used, and none is generated", async () => {
  const { loaded, secretFile } = await embedded({ BETTER_AUTH_SECRET: AUTH_SECRET });
  expect((await ensureSecrets(loaded)).authSecret.reveal()).toBe(AUTH_SECRET);
  await expect(stat(secretFile)).rejects.toMatchObject({ code: "ENOENT" });
});

test("the seal key is MOSAIC_SEAL_KEY, else the auth secret", async () => {
  const given = await embedded({ MOSAIC_SEAL_KEY: SECRET });
  const { authSecret, sealKey } = await ensureSecrets(given.loaded);
  expect([sealKey.reveal(), authSecret.reveal()]).toEqual([SECRET, expect.stringMatching(/^[\w-]{64}$/)]);
  const without = await ensureSecrets((await embedded()).loaded);
  expect(without.sealKey.reveal()).toBe(without.authSecret.reveal());
});

describe("refused:", () => {
  test.each([0o640, 0o604, 0o620, 0o606])("a secret file of mode %o", async (mode) => {
    const { loaded, secretFile } = await embedded();
    await write(secretFile, SECRET);
    await chmod(join(secretFile, ".."), 0o700);
    await chmod(secretFile, mode);
    await expect(ensureSecrets(loaded)).rejects.toMatchObject({
      code: "secret_file_exposed",
      details: { remedy: expect.stringContaining(`chmod 600 ${secretFile}`) },
    });
    await chmod(secretFile, 0o600);
    expect((await ensureSecrets(loaded)).authSecret.reveal()).toBe(SECRET);
  });

  test("a folder others may write into", async () => {
    const { loaded, secretFile } = await embedded();
    await write(secretFile, SECRET, 0o600);
    await chmod(join(secretFile, ".."), 0o777);
    await expect(ensureSecrets(loaded)).rejects.toMatchObject({ code: "secret_file_exposed" });
  });

  test("a secret cut short, which is not generated anew: sealed data hangs on the old one", async () => {
    const { loaded, secretFile } = await embedded();
    await write(secretFile, "hunter2", 0o600);
    await chmod(join(secretFile, ".."), 0o700);
    await expect(ensureSecrets(loaded)).rejects.toMatchObject({
      code: "secret_file_damaged",
      message: expect.not.stringContaining("hunter2"),
    });
    expect(await readFile(secretFile, "utf8")).toBe("hunter2");
  });

  test("a symbolic link in the secret's place", async () => {
    const { loaded, secretFile } = await embedded();
    await mkdir(join(secretFile, ".."), { recursive: true, mode: 0o700 });
    await symlink(await write(`${secretFile}.elsewhere`, SECRET, 0o600), secretFile);
    await expect(ensureSecrets(loaded)).rejects.toMatchObject({ code: "secret_file_damaged" });
  });

  test("BETTER_AUTH_SECRET beside a generated one that differs", async () => {
    const { loaded, secretFile } = await embedded({ BETTER_AUTH_SECRET: AUTH_SECRET });
    await write(secretFile, SECRET, 0o600);
    await chmod(join(secretFile, ".."), 0o700);
    const outcome = await ensureSecrets(loaded).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: "secret_conflict", message: expect.stringContaining(secretFile) });
    expect(String(outcome)).not.toContain(AUTH_SECRET);
  });

  test("a tier without a folder and without a secret, should one ever get past loadConfig", async () => {
    const environment = { BETTER_AUTH_SECRET: AUTH_SECRET, DATABASE_URL: "postgresql://db" };
    const { config } = await load({ file: { tier: "standalone" }, environment });
    await expect(ensureSecrets({ config, secrets: {} })).rejects.toMatchObject({ code: "secret_missing" });
  });
});
