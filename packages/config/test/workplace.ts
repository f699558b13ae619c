import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Problem } from "@mosaicstack/foundation";
import { onTestFinished } from "vitest";
import { type ConfigFault, loadConfig, type LoadedConfig, type LoadOptions } from "../src/index.ts";

/** What a tier without a data directory can't do without. */
export const AUTH_SECRET = "an-auth-secret-of-forty-characters-or-so";

/** An empty folder, deleted after the test. */
export async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mosaic-config-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function write(path: string, text: string, mode = 0o644): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode });
  return path;
}

/** What a gateway started in a folder would be given. */
export interface Given extends Omit<LoadOptions, "directory" | "file"> {
  /** The file, as text or as an object. */
  readonly file?: string | object;
  readonly directory?: string;
}

/** Loads in a folder of its own, with nothing of this process's environment. */
export async function load({ file, directory, ...options }: Given = {}): Promise<LoadedConfig> {
  const folder = directory ?? (await emptyDirectory());
  if (file !== undefined) {
    await write(join(folder, "mosaic.config.json"), typeof file === "string" ? file : JSON.stringify(file));
  }
  return loadConfig({ environment: { HOME: folder }, ...options, directory: folder });
}

/** The refusal of a configuration that must not load. */
export async function refusal(given: Given): Promise<Problem> {
  try {
    await load(given);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

export async function faultsOf(given: Given): Promise<readonly ConfigFault[]> {
  const problem = await refusal(given);
  return problem.details["faults"] as readonly ConfigFault[];
}
