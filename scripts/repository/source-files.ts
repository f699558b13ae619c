import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const NOT_OURS = new Set(["node_modules", "dist", "coverage", ".git", ".mosaic", ".services"]);

/** Every file of the repository, as a path from `root` with `/`, sorted; installed, built and run-time folders left out. */
export function repositoryFiles(root: string): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!NOT_OURS.has(entry.name)) visit(path);
      } else if (entry.isFile()) found.push(path);
    }
  };
  visit("");
  return found.toSorted();
}

/** The part of a package.json that the scripts read. */
export interface PackageManifest {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly license?: string;
  readonly engines?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** @throws when the file is missing or is not JSON. */
export function readManifest(path: string): PackageManifest {
  return JSON.parse(readFileSync(path, "utf8")) as PackageManifest;
}

/** One npm workspace: its folder from the root (`packages/storage`), that folder's last name, and its manifest. */
export interface Workspace {
  readonly folder: string;
  readonly shortName: string;
  readonly manifest: PackageManifest;
}

/** The workspaces of the repository at `root`. Only patterns of the form `folder/*` are known. */
export function readWorkspaces(root: string): Workspace[] {
  const patterns = readManifest(join(root, "package.json")).workspaces ?? [];
  return patterns.flatMap((pattern) => {
    const parent = pattern.replace(/\/\*$/, "");
    return readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => {
        const folder = `${parent}/${entry.name}`;
        return { folder, shortName: entry.name, manifest: readManifest(join(root, folder, "package.json")) };
      });
  });
}
