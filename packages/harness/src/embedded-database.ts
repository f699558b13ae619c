import { createHash, randomUUID } from "node:crypto";
import { existsSync, openAsBlob, readdirSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makePgliteSnapshot, migrationsDirectory, openPgliteInMemory, type Store } from "@mosaicstack/storage";

/**
 * A fresh, empty, migrated PGlite in memory, for one test file. Close it when done.
 *
 * The first call on a machine takes about 3 s and leaves a snapshot (40 MB) in the temporary directory; each later one,
 * in whatever process, opens that in 0.4 s. A changed migration or PGlite makes a new snapshot.
 */
export async function openTestStore(options: { readonly vector?: boolean } = {}): Promise<Store> {
  return openPgliteInMemory({ ...options, snapshot: await openAsBlob(await testSnapshotFile()) });
}

/**
 * The snapshot {@link openTestStore} begins from, made if it isn't there: for tests with a data directory of their own
 * (`openPglite({ dataDirectory, snapshot: await openAsBlob(await testSnapshotFile()) })`), which then take 0.8 s, not 3.
 */
export async function testSnapshotFile(): Promise<string> {
  const path = join(tmpdir(), `mosaic-test-database-${snapshotKey()}.tar`);
  if (existsSync(path)) return path;
  const snapshot = await makePgliteSnapshot();
  // Renamed into place whole: test files start together, some in one process, and a reader must never see half a file.
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await writeFile(unfinished, snapshot.stream());
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
  return path;
}

/** Whatever changes an empty database: the migrations, and the server that lays out its files. */
function snapshotKey(): string {
  const hash = createHash("sha256");
  const names = readdirSync(migrationsDirectory).filter((name) => name.endsWith(".sql"));
  for (const name of names.toSorted()) hash.update(name).update(readFileSync(join(migrationsDirectory, name)));
  // Resolved from storage, whose dependency it is.
  const pglite = dirname(createRequire(migrationsDirectory).resolve("@electric-sql/pglite"));
  hash.update(readFileSync(join(pglite, "..", "package.json")));
  return hash.digest("hex").slice(0, 16);
}
