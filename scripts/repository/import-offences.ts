import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, posix } from "node:path";
import {
  ENVIRONMENT_READERS,
  LOADED_ON_DEMAND,
  MAY_IMPORT,
  ONLY_IMPORTED_FROM,
  RUNS_PACKAGES_SUITES,
  TESTS_MAY_ALSO_IMPORT,
} from "./import-rules.ts";
import { type ModuleImport, readModule } from "./read-module.ts";
import { type PackageManifest, readManifest, readWorkspaces, repositoryFiles, type Workspace } from "./source-files.ts";

const OURS = "@mosaicstack/";
const MODULE = /\.(ts|tsx|mts|js|mjs)$/;

/** A broken import rule: where, which rule, and what to do about it. */
export interface ImportOffence {
  /** Path from the root, with `/`. */
  readonly file: string;
  /** From 1; 0 for the file or folder as a whole. */
  readonly line: number;
  readonly rule:
    | "no row"
    | "direction"
    | "on demand"
    | "undeclared"
    | "deep import"
    | "leaves package"
    | "computed"
    | "environment";
  readonly message: string;
}

/** The file an import stands in, and what its place allows. */
interface Place {
  readonly file: string;
  /** null: outside the workspaces. */
  readonly workspace: Workspace | null;
  /** Shipped code, as against tests, the development bin and configuration. */
  readonly isSource: boolean;
  readonly declared: ReadonlySet<string>;
}

interface Fault {
  readonly rule: ImportOffence["rule"];
  readonly message: string;
}

const startsWithAny = (path: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => (prefix.endsWith("/") ? path.startsWith(prefix) : path === prefix));

const packageName = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

const runTimeDependencies = (manifest: PackageManifest): string[] => [
  ...Object.keys(manifest.dependencies ?? {}),
  ...Object.keys(manifest.peerDependencies ?? {}),
  ...Object.keys(manifest.optionalDependencies ?? {}),
];

/** Walks the repository at `root` and returns every break of the rules in import-rules.ts; an empty list is a clean tree. */
export function findImportOffences(root: string): ImportOffence[] {
  const workspaces = readWorkspaces(root);
  const rootManifest = readManifest(join(root, "package.json"));
  const shared = [...runTimeDependencies(rootManifest), ...Object.keys(rootManifest.devDependencies ?? {})];
  const byName = new Map(workspaces.map((workspace) => [workspace.manifest.name ?? "", workspace]));

  const placeOf = (file: string): Place => {
    const workspace = workspaces.find(({ folder }) => file.startsWith(`${folder}/`)) ?? null;
    if (workspace === null) {
      return { file, workspace, isSource: false, declared: new Set([...shared, ...byName.keys()]) };
    }
    const isSource = file.startsWith(`${workspace.folder}/src/`);
    const declared = new Set(runTimeDependencies(workspace.manifest));
    if (!isSource) {
      for (const name of [...shared, ...Object.keys(workspace.manifest.devDependencies ?? {})]) declared.add(name);
      declared.add(workspace.manifest.name ?? "");
    }
    return { file, workspace, isSource, declared };
  };

  const offences: ImportOffence[] = workspaces
    .filter(({ folder }) => MAY_IMPORT[folder] === undefined)
    .map(({ folder }) => ({
      file: folder,
      line: 0,
      rule: "no row",
      message: "has no row in MAY_IMPORT: say in scripts/repository/import-rules.ts what it may import",
    }));

  for (const file of repositoryFiles(root).filter((path) => MODULE.test(path))) {
    const place = placeOf(file);
    const facts = readModule(file, readFileSync(join(root, file), "utf8"));
    for (const each of facts.imports) {
      const fault = faultOf(each, place, byName);
      if (fault !== null) offences.push({ file, line: each.line, ...fault });
    }
    if (readsNoEnvironment(place)) {
      for (const line of facts.environmentReads) {
        offences.push({
          file,
          line,
          rule: "environment",
          message: "reads process.env: take the value from the config",
        });
      }
    }
  }
  return offences;
}

function readsNoEnvironment({ file, workspace }: Place): boolean {
  if (workspace === null || file.startsWith(`${workspace.folder}/test/`)) return false;
  return !startsWithAny(file, ENVIRONMENT_READERS);
}

function faultOf(reference: ModuleImport, place: Place, byName: ReadonlyMap<string, Workspace>): Fault | null {
  const { specifier } = reference;
  if (specifier === null) {
    return place.isSource
      ? { rule: "computed", message: "imports a computed name, which no rule can be held to: write the name out" }
      : null;
  }
  if (specifier.startsWith(".")) return relativeFault(specifier, reference, place, [...byName.values()]);
  if (specifier.startsWith("#") || isBuiltin(specifier)) return null;

  const name = packageName(specifier);
  if (name.startsWith(OURS) && specifier !== name) {
    return { rule: "deep import", message: `${specifier} reaches into another package: import from ${name}` };
  }
  const target = byName.get(name);
  if (target !== undefined) {
    const fault = directionFault(target, place) ?? onDemandFault(target, reference, place);
    if (fault !== null) return fault;
  }
  return place.declared.has(name)
    ? null
    : {
        rule: "undeclared",
        message: `${name} is not declared in ${place.workspace?.folder ?? "the root"}/package.json`,
      };
}

function relativeFault(
  specifier: string,
  reference: ModuleImport,
  { file, workspace }: Place,
  workspaces: readonly Workspace[],
): Fault | null {
  const target = posix.join(posix.dirname(file), specifier);
  const inside =
    workspace === null
      ? !target.startsWith("..") && !workspaces.some(({ folder }) => target.startsWith(`${folder}/`))
      : target.startsWith(`${workspace.folder}/`);
  const isSuite = /^packages\/[^/]+\/test\/[^/]+\.ts$/.test(target) && !target.endsWith(".test.ts");
  if (isSuite && workspace === null && startsWithAny(file, RUNS_PACKAGES_SUITES)) return null;
  if (!inside) return { rule: "leaves package", message: `${specifier} leaves the package: import it by its name` };

  const island = LOADED_ON_DEMAND.find((rule) => file.startsWith(rule.within) && !file.startsWith(rule.island))?.island;
  if (reference.kind === "static" && island !== undefined && target.startsWith(island)) {
    return { rule: "on demand", message: `${specifier} is loaded by federated tiers only: reach it by import()` };
  }
  return null;
}

function directionFault(target: Workspace, { file, workspace, isSource }: Place): Fault | null {
  if (workspace === null) {
    const only = ONLY_IMPORTED_FROM[target.shortName];
    return only === undefined || startsWithAny(file, only)
      ? null
      : { rule: "direction", message: `only ${only.join(", ")} may import ${target.shortName}` };
  }
  if (workspace === target && !isSource) return null;
  const allowed = [...(MAY_IMPORT[workspace.folder] ?? []), ...(isSource ? [] : TESTS_MAY_ALSO_IMPORT)];
  return allowed.includes(target.shortName)
    ? null
    : { rule: "direction", message: `${workspace.folder} may import ${allowed.join(", ") || "nothing of ours"}` };
}

function onDemandFault(target: Workspace, { kind }: ModuleImport, { file }: Place): Fault | null {
  if (kind !== "static") return null;
  const rule = LOADED_ON_DEMAND.find(({ within, island }) => file.startsWith(within) && !file.startsWith(island));
  return rule?.packages.includes(target.shortName) === true
    ? {
        rule: "on demand",
        message: `a tier without federation would load ${target.shortName}: use import type or import(), or move it to ${rule.island}`,
      }
    : null;
}
