import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Problem } from "@mosaicstack/foundation";
import type { Host, Inlet } from "./host.ts";
import { cliProblem } from "./problems.ts";

const MAX_INPUT_BYTES = 8 * 1024 * 1024;

/** What the operating system said, as a Problem that names the file. */
export function readingProblem(path: string, error: unknown): Problem {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") {
    return cliProblem("file_not_found", { detail: `There is no ${path}.`, cause: error });
  }
  return cliProblem("file_unreadable", {
    detail: `${path} can't be read${code === "" ? "" : ` (${code})`}.`,
    cause: error,
  });
}

/** A file's text, or standard input's for `-`. At most 8 MiB. */
export async function readTextInput(host: Host, path: string): Promise<string> {
  if (path === "-") return await readStream(host.stdin);
  const full = resolve(host.directory, path);
  let bytes: Buffer;
  try {
    bytes = await readFile(full);
  } catch (error) {
    throw readingProblem(path, error);
  }
  if (bytes.length > MAX_INPUT_BYTES) throw cliProblem("file_unreadable", { detail: `${path} is larger than 8 MiB.` });
  return bytes.toString("utf8");
}

async function readStream(stream: Inlet): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_INPUT_BYTES) throw cliProblem("file_unreadable", { detail: "Standard input is larger than 8 MiB." });
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Writes a file whole or not at all, readable by its owner alone, and its folder with it. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const passing = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(passing, text, { mode: 0o600, flag: "wx" });
    await rename(passing, path);
  } catch (error) {
    await rm(passing, { force: true });
    throw cliProblem("file_unwritable", { detail: `${path} can't be written.`, cause: error });
  }
}
