import type { Dirent } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { readingProblem } from "../files.ts";
import { cliProblem } from "../problems.ts";
import { decodeUtf8 } from "./lines.ts";
import { noteOfMarkdown } from "./markdown-note.ts";
import type { ImportRow, Parsed } from "./parsed-row.ts";

const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_DEPTH = 64;

/** What there is in a folder of Markdown. */
export interface Vault {
  /** Paths from the folder, with `/`, as the file system has them, in order. */
  readonly files: readonly string[];
  /** What was passed over, by reason. */
  readonly skipped: { readonly hidden: number; readonly links: number; readonly otherFiles: number };
}

/**
 * Finds the Markdown files of a folder and its sub-folders. Hidden ones are passed over, and no link is followed: a
 * vault somebody sent may point anywhere.
 *
 * @throws Problem `file_not_found`, `file_unreadable`
 */
export async function findVault(folder: string): Promise<Vault> {
  const files: string[] = [];
  const skipped = { hidden: 0, links: 0, otherFiles: 0 };

  async function walk(below: string, depth: number): Promise<void> {
    if (depth > MAX_DEPTH)
      throw cliProblem("file_unreadable", { detail: `${below} is nested deeper than ${MAX_DEPTH} folders.` });
    const path = join(folder, below);
    let entries: Dirent[];
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      throw readingProblem(path, error);
    }
    for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
      const inner = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.name.startsWith(".")) skipped.hidden += 1;
      else if (entry.isSymbolicLink()) skipped.links += 1;
      else if (entry.isDirectory()) await walk(inner, depth + 1);
      else if (entry.isFile() && /\.md$/iu.test(entry.name)) files.push(inner);
      else skipped.otherFiles += 1;
    }
  }

  await walk("", 0);
  return { files, skipped };
}

/** Whether a path is a folder. @throws Problem `file_not_found`, `file_unreadable` */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw readingProblem(path, error);
  }
}

/** Reads each file of a vault as a note. One that can't be read is a fault, and the next one is read. */
export async function* readVault(folder: string, { files }: Vault): AsyncGenerator<Parsed<ImportRow>> {
  for (const [index, file] of files.entries()) {
    const progress = index + 1;
    const path = file.normalize("NFC");
    try {
      const { bytes, modified } = await readFileBytes(join(folder, file));
      const text = bytes === undefined ? undefined : decodeText(bytes);
      if (bytes === undefined) yield { kind: "fault", place: path, detail: "The file is larger than 4 MiB.", progress };
      else if (text === undefined) yield { kind: "fault", place: path, detail: "The file is not UTF-8.", progress };
      else yield { kind: "row", place: path, progress, ...noteOfMarkdown({ path, text, modified }) };
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown cause";
      yield { kind: "fault", place: path, detail: `The file can't be read (${reason}).`, progress };
    }
  }
}

/** Size and content come from one open file: what a path names may change in between. */
async function readFileBytes(path: string): Promise<{ readonly bytes: Buffer | undefined; readonly modified: Date }> {
  const file = await open(path, "r");
  try {
    const { size, mtime } = await file.stat();
    return { bytes: size > MAX_FILE_BYTES ? undefined : await file.readFile(), modified: mtime };
  } finally {
    await file.close();
  }
}

/** UTF-8, or UTF-16 where a byte order mark says so: Notepad writes it. */
function decodeText(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  return decodeUtf8(bytes);
}
