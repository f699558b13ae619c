import { fileURLToPath } from "node:url";
import { type MigrationConfig, readMigrationFiles } from "drizzle-orm/migrator";
import { problem } from "./problems.ts";
import type { ReadStore } from "./store.ts";

/** The SQL files and their journal: beside this file in the sources, beside the chunk when bundled. */
export const migrationsDirectory = fileURLToPath(new URL("./migrations/", import.meta.url));

/**
 * Applies every migration the database lacks, in one transaction, with drizzle's own migrator (its journal is the table
 * `drizzle.__drizzle_migrations`).
 *
 * @param migrator drizzle's `migrate` of the engine, bound to a connection nobody else migrates from meanwhile.
 * @throws Problem database_newer: an older program on a newer schema would write rows the newer one can't read.
 */
export async function migrate(
  migrator: (config: MigrationConfig) => Promise<void>,
  query: ReadStore["query"],
): Promise<void> {
  const config = { migrationsFolder: migrationsDirectory };
  await migrator(config);
  const [row] = await query<{ newest: string | null }>(
    "select max(created_at)::text as newest from drizzle.__drizzle_migrations",
    [],
  );
  const newestKnown = Math.max(...readMigrationFiles(config).map((migration) => migration.folderMillis));
  if (Number(row?.newest ?? 0) > newestKnown) throw problem("database_newer");
}
