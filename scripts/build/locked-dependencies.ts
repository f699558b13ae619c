import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What package-lock.json says of one package. */
export interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type LockedPackages = Readonly<Record<string, LockedPackage>>;

/**
 * The part of the repository's package-lock.json that `names` need, themselves included, by their folders
 * (`node_modules/pg`). Optional dependencies are binaries for some platforms, which nothing here needs: they are left out.
 *
 * @throws when a package is not in the lock file, or is there without its checksum.
 */
export function lockedDependencies(root: string, names: readonly string[]): Record<string, LockedPackage> {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { packages: LockedPackages };
  const found: Record<string, LockedPackage> = {};
  const visit = (from: string, name: string): void => {
    const path = locate(lock.packages, from, name);
    if (found[path] !== undefined) return;
    const { dev: _dev, ...locked } = { dev: false, ...lock.packages[path] };
    if (locked.integrity === undefined) throw new Error(`package-lock.json has no checksum of ${path}`);
    const { optionalDependencies = {}, dependencies = {}, ...rest } = locked;
    const needed = Object.fromEntries(
      Object.entries(dependencies).filter(([each]) => optionalDependencies[each] === undefined),
    );
    found[path] = { ...rest, dependencies: needed };
    for (const each of Object.keys(needed)) visit(path, each);
  };
  for (const name of names) visit("", name);
  return found;
}

/** Where Node finds `name` from the package at `from`: beside it, or in a folder further up. */
function locate(packages: LockedPackages, from: string, name: string): string {
  const path = from === "" ? `node_modules/${name}` : `${from}/node_modules/${name}`;
  if (packages[path] !== undefined) return path;
  if (from === "") throw new Error(`${name} is not in package-lock.json: run npm install`);
  const parent = from.lastIndexOf("/node_modules/");
  return locate(packages, parent === -1 ? "" : from.slice(0, parent), name);
}
