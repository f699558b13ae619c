import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readManifest } from "../../scripts/repository/source-files.ts";

const BUILT = join(import.meta.dirname, "../../dist/mosaic");
const folder = mkdtempSync(join(tmpdir(), "mosaic-installed-"));
const installed = join(folder, "node_modules/@mosaicstack/mosaic");

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in the empty folder, as a stranger's shell would: what npm set for this test run is left out. */
function run(command: string, args: readonly string[], cwd = folder): Outcome {
  const env = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(lifecycle|package|config_local)|INIT_CWD|VITEST|NODE_ENV$|NODE_PATH$)/.test(name),
  );
  return spawnSync(command, args, { cwd, env: Object.fromEntries(env), encoding: "utf8", timeout: 170_000 });
}

const mosaic = (...args: string[]): Outcome => run(join(folder, "node_modules/.bin/mosaic"), args);

beforeAll(() => {
  const packed = run("npm", ["pack", BUILT, "--pack-destination", folder]);
  expect(packed.stderr, "npm pack").toContain("mosaicstack-mosaic");
  const archive = readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "";
  writeFileSync(join(folder, "package.json"), "{}");
  const install = run("npm", ["install", "--no-audit", "--no-fund", join(folder, archive)]);
  expect(install, "npm install").toMatchObject({ status: 0 });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the package, installed in an empty folder", () => {
  test("brings what stays outside the bundle, and nothing else", () => {
    const manifest = readManifest(join(installed, "package.json"));
    const names = readdirSync(join(folder, "node_modules"), { recursive: true, encoding: "utf8" })
      .filter(
        (path) =>
          /^(@[^/]+\/)?[^/.@][^/]*$/.test(path) && existsSync(join(folder, "node_modules", path, "package.json")),
      )
      .toSorted();
    expect(names).toEqual(["@mosaicstack/mosaic", ...Object.keys(manifest.dependencies ?? {})].toSorted());
  });

  test("brings the migrations, and its own licence and those of what it bundles", () => {
    expect(readdirSync(join(installed, "app/migrations")).filter((file) => file.endsWith(".sql"))).not.toEqual([]);
    expect(readFileSync(join(installed, "LICENSE"), "utf8")).toContain("Apache License");
    expect(readFileSync(join(installed, "THIRD-PARTY-LICENSES.txt"), "utf8")).toContain("fastify ");
  });

  test("mosaic --version says the version", () => {
    const { version = "" } = readManifest(join(installed, "package.json"));
    expect(mosaic("--version")).toMatchObject({ status: 0, stdout: expect.stringContaining(version), stderr: "" });
  });

  test("mosaic --help names its commands", () => {
    const { status, stdout } = mosaic("--help");
    expect(status).toBe(0);
    for (const command of ["init", "start", "demo", "import", "federation", "gateway"])
      expect(stdout).toContain(command);
  });

  test("mosaic demo --once shows rows of both gateways", () => {
    const { status, stdout, stderr } = mosaic("demo", "--once");
    expect(`${status}\n${stderr}`).toMatch(/^0\n/);
    expect(stdout).toContain("local");
    expect(stdout).toContain("federated:");
  });
});
