import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPackage, type BuiltPackage } from "./build-package.ts";
import { lockedDependencies } from "./locked-dependencies.ts";

/** What was assembled. */
export interface RuntimeTree {
  readonly built: BuiltPackage;
  /** Every package beside the bundle, as `name@version`, sorted. */
  readonly installed: readonly string[];
  /** All files together. */
  readonly bytes: number;
}

/**
 * Makes `folder` what a gateway runs from, and nothing else: the built package, and in `node_modules/` the production
 * dependencies that stay outside its bundle, in the versions and with the checksums of package-lock.json. What the folder
 * held is removed. `node <folder>/app/mosaic.js` needs no file outside it, and writes none into it.
 *
 * @throws when the sources do not build, or npm can't get a package whose checksum fits.
 */
export async function assembleRuntimeTree(root: string, folder: string): Promise<RuntimeTree> {
  const built = await buildPackage(root, folder);
  const locked = lockedDependencies(root, Object.keys(built.dependencies));
  const { name, version, dependencies } = built;
  const lock = { name, version, lockfileVersion: 3, packages: { "": { name, version, dependencies }, ...locked } };
  writeFileSync(join(folder, "package-lock.json"), `${JSON.stringify(lock, null, 2)}\n`);
  install(folder);
  // npm's own notes; what was installed says itself what it is.
  for (const note of ["package-lock.json", "node_modules/.package-lock.json", "node_modules/.bin"]) {
    rmSync(join(folder, note), { recursive: true, force: true });
  }
  const installed = Object.entries(locked).map(([path, each]) => `${nameOf(path)}@${each.version ?? "?"}`);
  return { built, installed: installed.toSorted(), bytes: sizeOf(folder) };
}

/** Runs `npm ci`. Scripts of packages don't run, here as in the image. */
function install(folder: string): void {
  // npm run hands on where it was called and by what; a registry or a cache that somebody configured stays.
  const env = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|command|config_local|config_prefix)|INIT_CWD|NODE_ENV$|NODE_PATH$)/.test(name),
  );
  const logs = mkdtempSync(join(tmpdir(), "mosaic-npm-logs-"));
  const options = ["--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--logs-dir", logs];
  try {
    execFileSync("npm", ["ci", ...options], { cwd: folder, env: Object.fromEntries(env), stdio: ["ignore", 2, 2] });
  } finally {
    rmSync(logs, { recursive: true, force: true });
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
