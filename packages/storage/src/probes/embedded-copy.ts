import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { vector } from "@electric-sql/pglite-pgvector";
import { migrationSets, type MigrationState, migrationState } from "../migrate.ts";
import { problem } from "../problems.ts";
import type { ReadStore } from "../store.ts";

/** A tar archive's unit (POSIX ustar). */
const BLOCK = 512;

export type EmbeddedCopy =
  | { readonly kind: "none" }
  /** It would take more memory than it is worth. */
  | { readonly kind: "too large"; readonly bytes: number }
  | {
      readonly kind: "opened";
      /** Of its ordinary tables. */
      readonly migrations: MigrationState;
      readonly store: ReadStore;
      close(): Promise<void>;
    };

/**
 * Opens a copy, in memory, of an embedded database that nobody has open: for looking at it as it is, since to open the database
 * itself is to write to it. Takes no lock; whoever starts a gateway meanwhile is not in its way, and the copy is then worth nothing.
 *
 * @param options.maxBytes of the files; the copy takes some times that
 * @throws Problem `data_directory_unusable` where the copy does not start
 */
export async function openEmbeddedCopy(
  dataDirectory: string,
  { maxBytes }: { readonly maxBytes: number },
): Promise<EmbeddedCopy> {
  const files = join(dataDirectory, "database");
  const isUnfinished = await isThere(join(dataDirectory, "database.unfinished"));
  if (isUnfinished || !(await isThere(join(files, "PG_VERSION")))) return { kind: "none" };
  const entries = await listFiles(files, "");
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  if (bytes > maxBytes) return { kind: "too large", bytes };
  const archive = new Blob(await archiveOf(files, entries));
  let client: PGlite | undefined;
  try {
    client = new PGlite({ loadDataDir: archive, extensions: { vector, pg_trgm } });
    await client.waitReady;
    const opened = client;
    const query: ReadStore["query"] = async <Row extends object>(sql: string, parameters: readonly unknown[]) =>
      (await opened.query<Row>(sql, [...parameters])).rows;
    const migrations = await migrationState(migrationSets({ vector: false }), query);
    return { kind: "opened", migrations, store: { query }, close: () => opened.close() };
  } catch (cause) {
    await client?.close().catch(() => undefined);
    throw problem("data_directory_unusable", {
      detail: `The database in ${dataDirectory} can't be started.`,
      remedy: "Restore the data directory from a backup.",
      cause,
    });
  }
}

interface Entry {
  /** Below the folder, with a leading slash. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly bytes: number;
}

async function listFiles(root: string, below: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = `${below}/${entry.name}`;
    if (entry.isDirectory()) entries.push({ path, isFolder: true, bytes: 0 }, ...(await listFiles(root, path)));
    else if (entry.isFile()) entries.push({ path, isFolder: false, bytes: (await stat(join(root, path))).size });
  }
  return entries;
}

async function archiveOf(root: string, entries: readonly Entry[]): Promise<Uint8Array<ArrayBuffer>[]> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const { path, isFolder } of entries) {
    const content = isFolder ? Buffer.alloc(0) : await readFile(join(root, path));
    parts.push(header(path, content.length, isFolder), content, Buffer.alloc(-content.length & (BLOCK - 1)));
  }
  return [...parts, Buffer.alloc(2 * BLOCK)];
}

function header(path: string, bytes: number, isFolder: boolean): Buffer<ArrayBuffer> {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  if (Buffer.byteLength(path) > 100) throw new Error(`the name is too long for an archive: ${path}`);
  block.write(path, 0);
  block.write(octal(isFolder ? 0o700 : 0o600, 7), 100);
  block.write(octal(0, 7) + octal(0, 7) + octal(bytes, 11) + octal(0, 11), 108);
  // The sum is taken over the header with blanks in its own place.
  block.write(`${" ".repeat(8)}${isFolder ? "5" : "0"}`, 148);
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)} `, 148);
  return block;
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
