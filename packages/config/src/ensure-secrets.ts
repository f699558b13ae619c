import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { problem } from "./problems.ts";
import { Secret, type Secrets } from "./secret.ts";
import type { LoadedConfig } from "./load-config.ts";

const LEAST_LENGTH = 32;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** What others than the owner may do, in a file's mode. */
const OTHERS = 0o077;
const OTHERS_MAY_WRITE = 0o022;

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

// Windows has no such modes: access there follows the user's profile folder.
const hasModes = process.platform !== "win32";

async function assertOwnDirectory(directory: string): Promise<void> {
  const { mode } = await stat(directory);
  if (hasModes && (mode & OTHERS_MAY_WRITE) !== 0) {
    throw problem("secret_file_exposed", {
      detail: `Other users may write into ${directory}.`,
      remedy: `Run: chmod 700 ${directory}`,
    });
  }
}

/** The generated secret; undefined when none was generated yet. */
async function readGenerated(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw problem("secret_file_damaged", { detail: `${path} can't be opened as a file.`, cause: error });
  }
  try {
    const { mode } = await file.stat();
    if (hasModes && (mode & OTHERS) !== 0) {
      throw problem("secret_file_exposed", {
        detail: `Other users may read or write ${path}.`,
        remedy: `Run: chmod 600 ${path}. If others used this machine meanwhile, they may have read it: replace the secret.`,
      });
    }
    const text = (await file.readFile("utf8")).trim();
    if (text.length < LEAST_LENGTH) throw problem("secret_file_damaged", { detail: `${path} is empty or cut short.` });
    return text;
  } finally {
    await file.close();
  }
}

/** Writes beside and renames, so that a crash leaves no secret or a whole one. */
async function generate(directory: string, path: string): Promise<string> {
  const text = randomBytes(48).toString("base64url");
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  const file = await open(unfinished, "wx", FILE_MODE);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  // Makes the rename itself durable: data sealed with a secret that a power cut takes away is lost.
  const folder = await open(directory, "r");
  try {
    if (hasModes) await folder.sync();
  } finally {
    await folder.close();
  }
  return text;
}

async function authSecretIn(dataDirectory: string, given: Secret | undefined): Promise<Secret> {
  const directory = join(dataDirectory, "secrets");
  const path = join(directory, "auth-secret");
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  await assertOwnDirectory(directory);
  const generated = await readGenerated(path);
  if (given !== undefined) {
    if (generated !== undefined && generated !== given.reveal()) {
      throw problem("secret_conflict", {
        detail: `BETTER_AUTH_SECRET is set, and differs from the secret generated in ${path}.`,
      });
    }
    return given;
  }
  return new Secret(generated ?? (await generate(directory, path)));
}

/**
 * The secrets a gateway runs with. Where the tier keeps a data directory and BETTER_AUTH_SECRET is not set, the first
 * start generates it into `<dataDirectory>/secrets/auth-secret`, mode 0600. Call it under the data directory's lock:
 * two first starts at once would generate two.
 *
 * Without MOSAIC_SEAL_KEY the seal key is the auth secret: sealing derives its own key from whichever it is given.
 *
 * @throws Problem `secret_file_exposed`, `secret_file_damaged`, `secret_conflict`, `secret_missing`
 */
export async function ensureSecrets({ config, secrets }: Pick<LoadedConfig, "config" | "secrets">): Promise<Secrets> {
  const authSecret =
    "dataDirectory" in config ? await authSecretIn(config.dataDirectory, secrets.authSecret) : secrets.authSecret;
  if (authSecret === undefined) throw problem("secret_missing");
  return { ...secrets, authSecret, sealKey: secrets.sealKey ?? authSecret };
}
