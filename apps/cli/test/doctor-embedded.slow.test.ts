import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "@mosaicstack/config";
import { systemClock } from "@mosaicstack/foundation";
import { composeGateway, createLog } from "@mosaicstack/gateway";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Check } from "../src/doctor/check.ts";
import { runHere, temporaryFolder } from "./run-here.ts";

const KEY = "the first key that anything was sealed with";
const SLOW_MS = 120_000;

let seeded: string;
let directory: string;

async function configure(folder: string): Promise<void> {
  const config = {
    tier: "federated",
    embedded: true,
    dataDirectory: "data",
    http: { port: 0 },
    federation: { port: 0 },
    log: { level: "silent" },
  };
  await writeFile(join(folder, "mosaic.config.json"), JSON.stringify(config));
}

async function openGateway(folder: string) {
  const { config, secrets } = await loadConfig({ directory: folder, environment: { MOSAIC_SEAL_KEY: KEY } });
  const gateway = await composeGateway({ config, secrets, clock: systemClock, log: createLog(config.log) });
  await gateway.start();
  return gateway;
}

/** A stopped federated gateway, whose authority's key is sealed. */
beforeAll(async () => {
  seeded = await mkdtemp(join(tmpdir(), "mosaic-doctor-embedded-"));
  await configure(seeded);
  await (await openGateway(seeded)).stop();
}, SLOW_MS);
afterAll(() => rm(seeded, { recursive: true, force: true }));
beforeEach(async () => {
  directory = await temporaryFolder();
  await configure(directory);
  await cp(join(seeded, "data"), join(directory, "data"), { recursive: true });
});

async function examined(key = KEY): Promise<readonly Check[]> {
  const { out } = await runHere(["gateway", "doctor", "--json"], { directory, variables: { MOSAIC_SEAL_KEY: key } });
  expect(out).not.toContain(key);
  return (JSON.parse(out) as { data: { checks: readonly Check[] } }).data.checks;
}

const named = (checks: readonly Check[], name: string) => checks.find((check) => check.name === name);

/** Of every file of the data, with its name. */
async function digestOfData(): Promise<string> {
  const digest = createHash("sha256");
  const entries = await readdir(join(directory, "data"), { recursive: true, withFileTypes: true });
  for (const entry of entries.toSorted((one, other) =>
    join(one.parentPath, one.name) < join(other.parentPath, other.name) ? -1 : 1,
  )) {
    const path = join(entry.parentPath, entry.name);
    digest.update(path);
    if (entry.isFile()) digest.update(await readFile(path));
  }
  return digest.digest("hex");
}

describe("the doctor, at an embedded gateway that is down,", () => {
  test(
    "finds that the data's key is the one configured, and the authority good, and changes no byte",
    async () => {
      const before = await digestOfData();
      const checks = await examined();
      expect(named(checks, "seal key")).toMatchObject({ status: "ok" });
      expect(named(checks, "certificate authority")).toMatchObject({ status: "ok" });
      expect(await digestOfData()).toBe(before);
    },
    SLOW_MS,
  );

  test(
    "finds another seal key than the data's",
    async () => {
      expect(named(await examined("another key than anything was sealed with"), "seal key")).toMatchObject({
        status: "fault",
        code: "seal_key_differs",
        detail: expect.stringContaining("1 certificate authority"),
        remedy: expect.stringContaining("MOSAIC_SEAL_KEY"),
      });
    },
    SLOW_MS,
  );

  test(
    "finds data that do not start",
    async () => {
      await truncate(join(directory, "data/database/database/global/pg_control"), 100);
      expect(named(await examined(), "seal key")).toMatchObject({ status: "fault", code: "data_directory_unusable" });
    },
    SLOW_MS,
  );

  test(
    "leaves the data of a running gateway alone",
    async () => {
      const gateway = await openGateway(directory);
      try {
        expect(named(await examined("whatever it may be that somebody has set"), "seal key")).toMatchObject({
          status: "skipped",
        });
      } finally {
        await gateway.stop();
      }
    },
    SLOW_MS,
  );
});
