import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { catalogue, type Setting } from "./catalogue.ts";
import type { Config, Origin } from "./config.ts";
import type { Entry, Environment } from "./layer.ts";
import { readQueueUrl } from "./service-url.ts";
import { PATH_SETTINGS } from "./settings.ts";
import { completeConfig, type Variant } from "./tier-schemas.ts";
import { tierOf } from "./variant.ts";

/** The folder an embedded gateway keeps its data in when nobody names one, as the XDG base directory specification has it. */
function defaultDataDirectory(environment: Environment): string {
  const data = environment["XDG_DATA_HOME"] ?? "";
  return join(isAbsolute(data) ? data : join(homeOf(environment), ".local", "share"), "mosaic");
}

function homeOf(environment: Environment): string {
  const home = environment["HOME"] ?? "";
  return isAbsolute(home) ? home : homedir();
}

function absolutePath(path: string, origin: Origin, directory: string, environment: Environment): string {
  if (path === "~" || path.startsWith("~/")) return join(homeOf(environment), path.slice(1));
  return resolve(origin.kind === "file" ? dirname(origin.file) : directory, path);
}

function defaultOf(
  setting: Setting,
  variant: Variant,
  environment: Environment,
): string | number | boolean | undefined {
  if (setting.path === "dataDirectory") return defaultDataDirectory(environment);
  if (setting.path === "queue.kind") return variant === "embedded" ? "in-process" : "bullmq";
  return setting.default;
}

/**
 * Every setting of a variant that has a value, in the catalogue's order: defaults filled in, paths made absolute.
 *
 * @param directory what the relative paths of variables and flags start from
 */
export function completeSettings(
  merged: ReadonlyMap<string, Entry>,
  variant: Variant,
  directory: string,
  environment: Environment,
): Map<string, Entry> {
  const complete = new Map<string, Entry>();
  for (const setting of catalogue.values()) {
    const { path } = setting;
    if (!setting.variants.has(variant)) continue;
    const given = merged.get(path);
    const inParts = [...merged.keys()].some((other) => other.startsWith(`${path}.`));
    const value = given?.value ?? (inParts ? undefined : defaultOf(setting, variant, environment));
    if (value === undefined) continue;
    const origin = given?.origin ?? { kind: "default" };
    const isPath = PATH_SETTINGS.has(path) && typeof value === "string";
    complete.set(path, { path, origin, value: isPath ? absolutePath(value, origin, directory, environment) : value });
  }
  const tier = complete.get("tier");
  if (tier !== undefined) complete.set("tier", { ...tier, value: tierOf(variant) });
  return complete;
}

function queueOf(settings: ReadonlyMap<string, Entry>): unknown {
  const url = settings.get("queue.url")?.value;
  if (typeof url !== "string") return { kind: "in-process" };
  const reading = readQueueUrl(url);
  return reading.kind === "parts" ? reading.parts : undefined;
}

/** The typed Config of settings that hold no fault. */
export function buildConfig(settings: ReadonlyMap<string, Entry>, variant: Variant): Config {
  const tree: Record<string, unknown> = {};
  for (const { path, value } of settings.values()) {
    const names = path.split(".");
    const last = names.pop() ?? path;
    let section = tree;
    for (const name of names) section = (section[name] ??= {}) as Record<string, unknown>;
    section[last] = value;
  }
  if ("queue" in tree) tree["queue"] = queueOf(settings);
  if (variant === "federated" || variant === "embedded") {
    const authority = tree["certificateAuthority"];
    tree["certificateAuthority"] = authority === undefined ? { kind: "embedded" } : { kind: "step-ca", ...authority };
  }
  return completeConfig[variant](tree);
}
