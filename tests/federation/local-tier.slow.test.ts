import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const FEDERATION = [
  "packages/federation-protocol/",
  "packages/federation-server/",
  "packages/federation-client/",
  "packages/certificate-authority/",
  "apps/gateway/src/federation/",
];

/** What only a gateway with replicas needs. */
const VALKEY = ["packages/coordination/src/valkey", "node_modules/bullmq/", "node_modules/ioredis/"];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mosaic-trace-"));
});
afterAll(async () => await rm(directory, { recursive: true, force: true }));

/** Boots and uses a gateway in a process of its own; which files of this repository that process loaded. */
async function modulesOf(tier: string): Promise<readonly string[]> {
  const trace = join(directory, `${tier}.txt`);
  const hook = pathToFileURL(join(import.meta.dirname, "trace-modules.mjs")).href;
  const program = join(ROOT, "packages/harness/test/boot-and-list.ts");
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "--import", hook, program, tier], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], HOME: directory, TMPDIR: tmpdir(), MODULE_TRACE: trace },
  });
  expect(JSON.parse(stdout)).toEqual(["a task"]);
  const root = pathToFileURL(`${ROOT}/`).href;
  const urls = (await readFile(trace, "utf8")).split("\n");
  return urls.filter((url) => url.startsWith(root)).map((url) => url.slice(root.length).replace(/\?.*$/, ""));
}

const within = (folders: readonly string[], modules: readonly string[]): string[] =>
  modules.filter((path) => folders.some((folder) => path.startsWith(folder)));

describe("which code a tier loads:", () => {
  test.each(["local", "standalone"])(
    "%s loads nothing of federation, and nothing of Valkey",
    async (tier) => {
      const modules = await modulesOf(tier);
      expect(modules).toContain("apps/gateway/src/compose.ts");
      expect(modules).toContain("apps/gateway/src/reading/local-reader.ts");
      expect(within([...FEDERATION, ...VALKEY], modules)).toEqual([]);
    },
    120_000,
  );

  test("federated loads all of federation, and so the trace would see it; embedded, nothing of Valkey", async () => {
    const modules = await modulesOf("federated");
    const loaded = within(FEDERATION, modules);
    expect(within(VALKEY, modules)).toEqual([]);
    for (const folder of FEDERATION) {
      expect(
        loaded.some((path) => path.startsWith(folder)),
        folder,
      ).toBe(true);
    }
  }, 120_000);
});
