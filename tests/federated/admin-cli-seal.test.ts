import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Problem } from "@mosaicstack/foundation";
import {
  assertSealKey,
  createSealer,
  openForRotation,
  openPostgres,
  rotateSeal,
  type Store,
} from "@mosaicstack/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { killWhileRotating } from "../storage/rotating.ts";
import { openingWith, type SealedText, sealedRows, storedValues } from "../storage/sealed-rows.ts";
import { type RolesDatabase, rolesDatabase } from "./database-roles.ts";
import { type Ran, runMosaic } from "./mosaic-process.ts";

const OLD = "the old key of this gateway, more than 32 characters";
const NEW = "the new key of this gateway, more than 32 characters";
const from = createSealer({ secret: OLD });
const to = createSealer({ secret: NEW });
/** More than one batch. */
const ROWS = 700;
const SLOW_MS = 120_000;

let roles: RolesDatabase;
let directory: string;
let texts: readonly SealedText[];
beforeEach(async () => {
  roles = await rolesDatabase();
  await withStore(async (store) => (texts = await sealedRows(store, from, ROWS)));
  directory = await mkdtemp(join(tmpdir(), "mosaic-seal-"));
  const { host, port, name, user, migrateAs } = roles.options;
  const database = { host, port, name, user, migrationUser: migrateAs.user };
  await writeFile(join(directory, "mosaic.config.json"), JSON.stringify({ tier: "standalone", database }));
  await writeFile(join(directory, "new-key"), `${NEW}\n`, { mode: 0o600 });
}, SLOW_MS);
afterEach(async () => {
  await roles.drop();
  await rm(directory, { recursive: true, force: true });
});

async function withStore<Result>(work: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await openPostgres(roles.options);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const openWith = async (sealer: typeof from): Promise<number> =>
  await withStore(async (store) => await openingWith(store, sealer, texts));
const values = async (): Promise<object> => Object.fromEntries(await withStore(storedValues));

async function rotate(words: readonly string[], sealKey = OLD, terminal?: { key: string }): Promise<Ran> {
  const ran = await runMosaic(["seal", "rotate", ...words], {
    directory,
    variables: {
      BETTER_AUTH_SECRET: "what signs sessions, which is another secret",
      MOSAIC_SEAL_KEY: sealKey,
      POSTGRES_PASSWORD: roles.runtime.password,
      POSTGRES_MIGRATION_PASSWORD: roles.owner.password,
    },
    ...(terminal === undefined ? {} : { terminal }),
  });
  for (const secret of [OLD, NEW, roles.runtime.password, roles.owner.password])
    expect(ran.out + ran.err).not.toContain(secret);
  return ran;
}

describe("mosaic seal rotate on PostgreSQL", { timeout: SLOW_MS }, () => {
  test("looks with --dry-run and changes nothing, then seals everything with the new key, as the runtime role", async () => {
    const before = await values();
    const dry = await rotate(["--dry-run", "--json"]);
    expect(dry.status).toBe(0);
    expect(JSON.parse(dry.out)).toMatchObject({ data: { dry_run: true, values: texts.length, new_key_id: null } });
    expect(await values()).toEqual(before);

    const ran = await rotate(["--new-key-file", "new-key", "--yes"]);
    expect(ran).toMatchObject({
      status: 0,
      err: expect.stringContaining(`MOSAIC_SEAL_KEY_FILE=${join(directory, "new-key")}`) as string,
    });
    expect(await openWith(to)).toBe(texts.length);
    await withStore(async (store) => await assertSealKey(store, to));
    expect(await roles.database.run("select 1 from idempotency_keys")).toEqual([]);
  });

  test("with a wrong old key names what does not open, and changes nothing", async () => {
    const before = await values();
    const ran = await rotate(["--new-key-file", "new-key", "--yes"], "not what it was sealed with, not at all");
    expect(ran.status).toBe(6);
    expect(ran.err).toContain("(seal_values_unopened)");
    expect(ran.err).toContain(`credentials.sealed_secret: ${ROWS} (`);
    expect(await values()).toEqual(before);
  });

  test("refuses while a gateway is connected", async () => {
    const before = await values();
    await withStore(async (gateway) => {
      await gateway.query("select 1", []);
      const ran = await rotate(["--new-key-file", "new-key", "--yes"]);
      expect([ran.status, ran.err]).toEqual([6, expect.stringContaining("(source_in_use)") as string]);
    });
    expect(await values()).toEqual(before);
  });

  test("a gateway that starts meanwhile waits, and then finds that its key is another", async () => {
    const rotating = await openForRotation({ engine: "postgres", options: roles.options });
    let started: Promise<unknown> = Promise.resolve();
    let answer = "none yet";
    const beforeCommit = async (): Promise<void> => {
      started = withStore(async (gateway) => await assertSealKey(gateway, from)).then(
        () => (answer = "taken"),
        (error: unknown) => (answer = error instanceof Problem ? error.code : String(error)),
      );
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(answer).toBe("none yet");
    };
    await rotateSeal({ store: rotating, from, to, beforeCommit });
    await rotating.close();
    await started;
    expect(answer).toBe("seal_key_differs");
  });

  test("without a terminal asks for the new key's file; nothing is written", async () => {
    expect(await rotate(["--yes"])).toMatchObject({
      status: 2,
      err: expect.stringContaining("--new-key-file") as string,
    });
    expect(await openWith(from)).toBe(texts.length);
  });

  test.each([
    ["in the middle" as const, from],
    ["before the commit" as const, from],
    ["after the commit" as const, to],
  ])("killed %s, every value is the one key's or every one the other's", async (place, holder) => {
    await killWhileRotating(place, { engine: "postgres", options: roles.options }, { from: OLD, to: NEW });
    await expect.poll(async () => await openWith(holder), { timeout: 20_000 }).toBe(texts.length);
    // And another run ends it.
    const again = await rotate(["--new-key-file", "new-key", "--yes"], holder === from ? OLD : NEW);
    expect(again.status).toBe(holder === from ? 0 : 2);
    expect(await openWith(to)).toBe(texts.length);
    expect((await stat(join(directory, "new-key"))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, "new-key"), "utf8")).toBe(`${NEW}\n`);
  });
});
