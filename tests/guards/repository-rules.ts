import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readModule } from "../../scripts/repository/read-module.ts";
import { readManifest, readWorkspaces, repositoryFiles } from "../../scripts/repository/source-files.ts";

const MODULE = /\.(ts|tsx|mts|js|mjs)$/;
const CODE = /\.(ts|tsx|mts|js|mjs|css|html|sh|sql|ya?ml)$|(^|\/)\.ci\/run$/;
const TEST = /(^|\/)tests?\//;
const GENERATED = /^packages\/storage\/src\/migrations\//;

const SOURCE_LINES = 400;
const TEST_LINES = 900;
/** The most lines a reviewed source may have, the last one apart. */
const HARD_LINES = 600;

/** Sources that a review left longer than `SOURCE_LINES`, each with the reason. */
const REVIEWED: Readonly<Record<string, string>> = {};

/** A name that says nothing of what is inside. */
const CATCH_ALL = /^(.*[-.])?(utils?|helpers?|common|lib|misc)$/;

const UNFINISHED = new RegExp(`\\b(${["TO", "DO"].join("")}|${["FIX", "ME"].join("")})\\b`);

const read = (root: string, file: string): string => readFileSync(join(root, file), "utf8");

const countLines = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);

const codeFiles = (root: string): string[] =>
  repositoryFiles(root).filter((file) => CODE.test(file) && !GENERATED.test(file));

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly resolved?: string; readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >;
}

const readLock = (root: string): LockFile => JSON.parse(read(root, "package-lock.json")) as LockFile;

/** Packages of the lock file that name the address they came from: the lock would then work on one network only. */
export function lockedAddresses(root: string): string[] {
  return Object.entries(readLock(root).packages)
    .filter(
      ([, { resolved }]) => resolved !== undefined && /^[a-z+]+:/i.test(resolved) && !resolved.startsWith("file:"),
    )
    .map(([path]) => path);
}

/**
 * Optional dependencies that the lock file leaves out, as `package: dependency`. npm drops one that it can't find when the
 * lock is made (a binary for another platform), and `npm ci` then refuses the lock.
 */
export function unlockedDependencies(root: string): string[] {
  const { packages } = readLock(root);
  const isLocked = (from: string, name: string): boolean =>
    packages[from === "" ? `node_modules/${name}` : `${from}/node_modules/${name}`] !== undefined ||
    (from !== "" && isLocked(from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))), name));
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !isLocked(path, name))
      .map((name) => `${path}: ${name}`),
  );
}

/** Files past their limit, as `path: lines`. */
export function longFiles(root: string, reviewed: Readonly<Record<string, string>> = REVIEWED): string[] {
  return codeFiles(root).flatMap((file) => {
    const lines = countLines(read(root, file));
    const limit = TEST.test(file) ? TEST_LINES : reviewed[file] === undefined ? SOURCE_LINES : HARD_LINES - 1;
    return lines > limit ? [`${file}: ${lines}`] : [];
  });
}

/** Every `export * from`, as `path:line`: a package's face is listed by hand. */
export function starExports(root: string): string[] {
  return codeFiles(root)
    .filter((file) => MODULE.test(file))
    .flatMap((file) => readModule(file, read(root, file)).starExports.map((line) => `${file}:${line}`));
}

/** Files and folders with a catch-all name, each once. */
export function catchAllNames(root: string): string[] {
  const found = new Set<string>();
  for (const file of repositoryFiles(root)) {
    const parts = file.split("/");
    for (const [depth, part] of parts.entries()) {
      const name = depth === parts.length - 1 ? part.replace(/(\.(test|config))?\.[a-z]+$/, "") : part;
      if (CATCH_ALL.test(name)) found.add(parts.slice(0, depth + 1).join("/"));
    }
  }
  return [...found];
}

/** Marks of unfinished work, as `path:line`. */
export function unfinishedMarks(root: string): string[] {
  return repositoryFiles(root)
    .filter((file) => (CODE.test(file) || file.endsWith(".md")) && !GENERATED.test(file))
    .flatMap((file) =>
      read(root, file)
        .split("\n")
        .flatMap((line, index) => (UNFINISHED.test(line) ? [`${file}:${index + 1}`] : [])),
    );
}

/** Workspaces whose package.json does not say in a sentence what they are. */
export function undescribedWorkspaces(root: string): string[] {
  return readWorkspaces(root)
    .filter(({ manifest }) => (manifest.description ?? "").trim() === "")
    .map(({ folder }) => folder);
}

/** npm scripts that a document names and package.json does not have, as `path: script`. */
export function unknownScripts(root: string): string[] {
  const scripts = readManifest(join(root, "package.json")).scripts ?? {};
  return repositoryFiles(root)
    .filter((file) => file.endsWith(".md") && basename(file) !== "CHANGELOG.md")
    .flatMap((file) =>
      [...read(root, file).matchAll(/\bnpm (?:(test|start)\b|run ([a-z][\w:-]*))/g)]
        .map(([, short, named]) => short ?? named ?? "")
        .filter((script) => scripts[script] === undefined)
        .map((script) => `${file}: ${script}`),
    );
}
