import { randomBytes } from "node:crypto";
import { access, mkdir, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { LoadedConfig } from "@mosaicstack/config";
import { readTextInput } from "../files.ts";
import type { Invocation } from "../invocation.ts";
import { cliProblem } from "../problems.ts";
import { secretsFolder } from "./old-key.ts";

const LEAST_LENGTH = 32;
const SECRET_BYTES = 48;

/** The key that is to be sealed with. Holds it: never printed. */
export interface NewKey {
  readonly secret: string;
  /** Where the gateway will find it; undefined: it came by standard input, and is kept elsewhere. */
  readonly file: string | undefined;
  /** Writes a key that was made here to its file; the others are where they are already. */
  keep(): Promise<void>;
}

/**
 * The new key: of a file that is there, or made now. One that is made is not written yet.
 *
 * @param given `--new-key-file`
 * @param nameOf what tells a key from others without giving it away, for its file's name
 * @throws Problem `usage_invalid`, `input_needed`, `file_not_found`, `file_exists`
 */
export async function newKey(
  { host, ask }: Invocation,
  { config }: Pick<LoadedConfig, "config">,
  given: string | undefined,
  nameOf: (secret: string) => string,
): Promise<NewKey> {
  if (given !== undefined) return await keyOfFile(host, given);
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  if ("dataDirectory" in config) {
    const file = join(secretsFolder(config.dataDirectory), `seal-key-${nameOf(secret)}`);
    return { secret, file, keep: async () => await writeKey(file, secret) };
  }
  if (!ask.possible) {
    throw cliProblem("input_needed", {
      detail: "Nothing says where the new key is, and this gateway has no data directory to keep it in.",
      remedy: "Make one with `openssl rand -base64 48 >seal-key` under umask 077, and add --new-key-file seal-key.",
    });
  }
  const file = resolve(host.directory, await ask.text({ message: "Where to write the new key" }));
  if (await isThere(file)) throw cliProblem("file_exists", existing(file));
  return { secret, file, keep: async () => await writeKey(file, secret) };
}

async function keyOfFile(host: Invocation["host"], given: string): Promise<NewKey> {
  const secret = (await readTextInput(host, given)).trim();
  if (secret.length < LEAST_LENGTH) {
    throw cliProblem("usage_invalid", {
      detail: `The new key has fewer than ${LEAST_LENGTH} characters.`,
      remedy: "Make one with: openssl rand -base64 48",
    });
  }
  return { secret, file: given === "-" ? undefined : resolve(host.directory, given), keep: async () => undefined };
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function existing(file: string): { detail: string; remedy: string } {
  return { detail: `There is a ${file} already.`, remedy: "Give --new-key-file if the new key is in it." };
}

/** On the disk when it returns, readable by its owner alone: what is sealed with it is lost without it. Replaces no file. */
async function writeKey(path: string, secret: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(`${secret}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    if (process.platform === "win32") return;
    const folder = await open(dirname(path), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      throw cliProblem("file_exists", existing(path));
    }
    throw cliProblem("file_unwritable", { detail: `The new key can't be written to ${path}.`, cause: error });
  }
}
