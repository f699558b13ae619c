import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { readingProblem, writePrivateFile } from "./files.ts";
import { cliProblem } from "./problems.ts";

/** A gateway somebody signed in to. */
export interface Profile {
  readonly name: string;
  /** The gateway's origin: `https://mosaic.example`. */
  readonly url: string;
  readonly apiKey: string;
  /** The key's id where `mosaic login` made the key itself, so that `mosaic logout` can take it back. */
  readonly apiKeyId?: string;
  /** A CA certificate this gateway needs, PEM: an absolute path. */
  readonly caFile?: string;
}

/** Every profile, and the one that is used when none is named. */
export interface Profiles {
  readonly current: string | undefined;
  readonly profiles: readonly Profile[];
  /** Whether other users of the machine can read the file. */
  readonly exposed: boolean;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/i;
const FORMAT = 1;

interface StoredProfile {
  readonly url: string;
  readonly api_key: string;
  readonly api_key_id?: string;
  readonly ca_file?: string;
}

/** Whether a text may name a profile. */
export function isProfileName(name: string): boolean {
  return NAME.test(name);
}

/** The file that holds the profiles, keys included. */
export function profilesFile(configDirectory: string): string {
  return join(configDirectory, "profiles.json");
}

/** @throws Problem `profiles_damaged` when the file is there and is not what this command wrote */
export async function readProfiles(configDirectory: string): Promise<Profiles> {
  const path = profilesFile(configDirectory);
  let text: string;
  let mode: number;
  try {
    text = await readFile(path, "utf8");
    ({ mode } = await stat(path));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return { current: undefined, profiles: [], exposed: false };
    }
    throw readingProblem(path, error);
  }
  const exposed = process.platform !== "win32" && (mode & 0o077) !== 0;
  return { ...parseProfiles(path, text), exposed };
}

function parseProfiles(path: string, text: string): Omit<Profiles, "exposed"> {
  // A parser's own message would quote the text, and the text holds keys.
  const damaged = (reason: string) => cliProblem("profiles_damaged", { detail: `${path} ${reason}.` });
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch {
    throw damaged("is not JSON");
  }
  if (!isObject(stored) || stored["version"] !== FORMAT || !isObject(stored["profiles"])) {
    throw damaged("is not a file of profiles that this version knows");
  }
  const { current } = stored;
  const profiles = Object.entries(stored["profiles"]).map(([name, value]) => {
    if (!isProfileName(name) || !isStoredProfile(value))
      throw damaged(`has a profile "${name.slice(0, 64)}" that lacks url or api_key`);
    return {
      name,
      url: value.url,
      apiKey: value.api_key,
      ...(value.api_key_id === undefined ? {} : { apiKeyId: value.api_key_id }),
      ...(value.ca_file === undefined ? {} : { caFile: value.ca_file }),
    };
  });
  return { current: typeof current === "string" ? current : undefined, profiles };
}

/** Writes the file whole, readable by its owner alone. */
export async function writeProfiles(
  configDirectory: string,
  { current, profiles }: Omit<Profiles, "exposed">,
): Promise<void> {
  const stored: Record<string, StoredProfile> = {};
  for (const { name, url, apiKey, apiKeyId, caFile } of profiles) {
    stored[name] = {
      url,
      api_key: apiKey,
      ...(apiKeyId === undefined ? {} : { api_key_id: apiKeyId }),
      ...(caFile === undefined ? {} : { ca_file: caFile }),
    };
  }
  const text = `${JSON.stringify({ version: FORMAT, current, profiles: stored }, null, 2)}\n`;
  await writePrivateFile(profilesFile(configDirectory), text);
}

/** Adds a profile, or replaces the one of its name, and makes it the one used when none is named. */
export async function saveProfile(configDirectory: string, profile: Profile): Promise<void> {
  const { profiles } = await readProfiles(configDirectory);
  await writeProfiles(configDirectory, {
    current: profile.name,
    profiles: [...profiles.filter(({ name }) => name !== profile.name), profile],
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStoredProfile(value: unknown): value is StoredProfile {
  if (!isObject(value)) return false;
  const optional = [value["api_key_id"], value["ca_file"]];
  return (
    typeof value["url"] === "string" &&
    typeof value["api_key"] === "string" &&
    optional.every((each) => each === undefined || typeof each === "string")
  );
}
