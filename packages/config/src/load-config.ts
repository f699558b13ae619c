import { resolve } from "node:path";
import { chooseSecrets, missingAuthSecret } from "./choose-secrets.ts";
import { buildConfig, completeSettings } from "./complete-settings.ts";
import type { Config, ConfigFault, ConfigWarning, EffectiveSetting } from "./config.ts";
import { CONFIG_FILE_VARIABLE, readEnvironment, readFlags } from "./environment-layer.ts";
import { configInvalid } from "./fault.ts";
import { type FileReading, readFileLayer } from "./file-layer.ts";
import { judgeLayer, mergeLayers } from "./judge-entries.ts";
import type { Entry, Environment, Layer } from "./layer.ts";
import { crossFaults, settingWarnings } from "./rules.ts";
import type { GivenSecrets } from "./secret.ts";
import { readSecretVariables, type SecretReading } from "./secret-variables.ts";
import { chooseVariant, misplacedSettings } from "./variant.ts";

/** Where to look, each injectable. */
export interface LoadOptions {
  /** Where `mosaic.config.json` is looked for, and what relative paths of variables and flags start from. Default: the working directory. */
  readonly directory?: string;
  /** This file instead; it must exist. Default: MOSAIC_CONFIG_FILE, then `mosaic.config.json` in `directory` if there is one. */
  readonly file?: string;
  /** Default: process.env. */
  readonly environment?: Environment;
  /** Settings by path: `{"http.port": 0}`. Texts are read as in a variable; undefined is nothing said. */
  readonly flags?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** MOSAIC_* variables that somebody else reads, e.g. the command line's own. Any other unknown one is a fault. */
  readonly otherVariables?: readonly string[];
}

/** A whole, valid configuration. */
export interface LoadedConfig {
  readonly config: Config;
  readonly secrets: GivenSecrets;
  readonly warnings: readonly ConfigWarning[];
  /** Every setting of the chosen tier with its value and who said so, and the secrets given. */
  readonly settings: readonly EffectiveSetting[];
  /** The file read, absolute. Absent: there was none. */
  readonly file?: string;
}

const FILE_NAME = "mosaic.config.json";

interface LocatedFile {
  readonly path: string;
  readonly reading: FileReading;
}

async function readFileOf(options: LoadOptions, directory: string, environment: Environment): Promise<LocatedFile> {
  const variable = environment[CONFIG_FILE_VARIABLE] ?? "";
  const named = options.file ?? (variable === "" ? undefined : variable);
  const path = resolve(directory, named ?? FILE_NAME);
  const reading = await readFileLayer(path);
  if (reading.kind !== "absent" || named === undefined) return { path, reading };
  const fault = {
    path,
    message: "does not exist",
    remedy: `Correct ${options.file === undefined ? CONFIG_FILE_VARIABLE : "the file's name"}, or write the file with: mosaic init.`,
  };
  return { path, reading: { kind: "unreadable", fault } };
}

function layerOf(reading: FileReading): Layer {
  if (reading.kind === "read") return reading;
  return { entries: [], faults: reading.kind === "unreadable" ? [reading.fault] : [] };
}

function urls({ given }: SecretReading): Entry[] {
  return (["database.url", "queue.url"] as const).flatMap((path) => {
    const found = given.get(path);
    return found === undefined ? [] : [{ path, value: found.text, origin: found.origin }];
  });
}

/** Keeps back a fault of a section that already has one: a value that was refused is not "not set". */
function notSaidOf(faults: readonly ConfigFault[]): (fault: ConfigFault) => boolean {
  const sectionOf = (path: string): string =>
    path.startsWith("DATABASE_URL")
      ? "database"
      : path.startsWith("VALKEY_URL")
        ? "queue"
        : (path.split(".")[0] ?? path);
  const faulty = new Set(faults.map(({ path }) => sectionOf(path)));
  return ({ path }) => !faulty.has(sectionOf(path));
}

function shown(settings: ReadonlyMap<string, Entry>): EffectiveSetting[] {
  const rows: EffectiveSetting[] = [];
  for (const { path, value, origin } of settings.values()) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      rows.push({ path, value, origin });
    }
  }
  return rows;
}

/**
 * Reads file, environment and flags into one typed configuration.
 *
 * @throws Problem `config_invalid` with every fault found, each with its path, origin and remedy, and no value.
 */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const directory = resolve(options.directory ?? process.cwd());
  const environment = options.environment ?? process.env;
  const file = await readFileOf(options, directory, environment);
  const fromFile = layerOf(file.reading);
  const fromVariables = readEnvironment(environment, options.otherVariables ?? []);
  const fromFlags = readFlags(options.flags ?? {});
  const said = [fromFile, fromVariables, fromFlags];
  const saidEntries = said.flatMap((layer) => layer.entries);
  const variant = file.reading.kind === "unreadable" ? undefined : chooseVariant(saidEntries);
  if (variant === undefined) throw configInvalid(said.flatMap((layer) => judgeLayer(layer).faults));

  const secretReading = await readSecretVariables(environment, variant, directory);
  const judgedVariables = judgeLayer({ ...fromVariables, entries: [...fromVariables.entries, ...urls(secretReading)] });
  const layers = [judgeLayer(fromFile), judgedVariables, judgeLayer(fromFlags)];
  const merged = mergeLayers(layers);
  const settings = completeSettings(merged, variant, directory, environment);
  const chosen = chooseSecrets(secretReading.given, judgedVariables, variant);
  const judgedFaults = [...layers.flatMap((layer) => layer.faults), ...secretReading.faults];
  const faults = [
    ...judgedFaults,
    ...misplacedSettings(saidEntries, variant),
    ...crossFaults(settings, variant, chosen.secrets).filter(notSaidOf(judgedFaults)),
    ...missingAuthSecret(secretReading, variant),
    ...chosen.faults,
  ];
  if (faults.length > 0) throw configInvalid(faults);
  return {
    config: buildConfig(settings, variant),
    secrets: chosen.secrets,
    warnings: [...settingWarnings(settings, merged.get("tier")?.value), ...secretReading.warnings],
    settings: [...shown(settings), ...chosen.settings],
    ...(file.reading.kind === "read" ? { file: file.path } : {}),
  };
}
