import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { readingProblem } from "../files.ts";
import type { Host } from "../host.ts";
import { cliProblem } from "../problems.ts";

/** What a file to import is written in. */
export type FileFormat = "jsonl" | "csv" | "todo.txt";

const BY_EXTENSION: Readonly<Record<string, FileFormat>> = {
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".csv": "csv",
  ".tsv": "csv",
  ".txt": "todo.txt",
};

/** The bytes of a file, or of standard input for `-`. */
export interface ImportFile {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** In bytes; undefined where nobody knows. */
  readonly size: number | undefined;
}

/** @throws Problem `file_not_found`, `file_unreadable` */
export async function openImportFile(host: Host, path: string): Promise<ImportFile> {
  if (path === "-") return { chunks: host.stdin as AsyncIterable<Uint8Array>, size: undefined };
  const full = resolve(host.directory, path);
  try {
    const found = await stat(full);
    if (found.isDirectory())
      throw cliProblem("file_unreadable", { detail: `${path} is a folder.`, remedy: "Give a file." });
    return { chunks: reportingFaults(path, createReadStream(full)), size: found.isFile() ? found.size : undefined };
  } catch (error) {
    throw error instanceof Error && "code" in error && error.name !== "Problem" ? readingProblem(path, error) : error;
  }
}

async function* reportingFaults(path: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw readingProblem(path, error);
  }
}

/**
 * The format that was said, else the one the file's name says.
 * @param allowed what this import can read
 * @throws Problem `format_unknown`
 */
export function formatOf(path: string, said: FileFormat | undefined, allowed: readonly FileFormat[]): FileFormat {
  const format = said ?? BY_EXTENSION[extname(path).toLowerCase()];
  if (format !== undefined && allowed.includes(format)) return format;
  throw cliProblem("format_unknown", {
    detail:
      path === "-"
        ? "Standard input has no name to tell its format by."
        : `The name ${path} does not say what is in it.`,
    remedy: `Add --format, one of: ${allowed.join(", ")}.`,
  });
}
