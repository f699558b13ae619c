import { Problem } from "@mosaicstack/foundation";
import type { PostgresOptions } from "./adapters/postgres-connection.ts";
import { openPglite } from "./adapters/pglite.ts";
import { openPostgres } from "./adapters/postgres.ts";
import { problem } from "./problems.ts";
import type { Store } from "./store.ts";
import { openPgliteSource } from "./tier-migration/pglite-source.ts";
import { openPostgresSource } from "./tier-migration/postgres-source.ts";

/** A stopped gateway's database. */
export type RotationDatabase =
  | { readonly engine: "pglite"; /** As `openPglite` takes it. */ readonly dataDirectory: string }
  | { readonly engine: "postgres"; readonly options: PostgresOptions };

const STATEMENT_TIMEOUT_MS = 600_000;

/**
 * Opens it for `rotateSeal`, alone: PGlite by its data directory's lock; on PostgreSQL a gateway that is connected is refused. The
 * schema is left as it is, and nothing is made where there is no database.
 *
 * @throws Problem source_missing, source_outdated, source_in_use, database_newer, data_directory_locked, database_unreachable
 */
export async function openForRotation(database: RotationDatabase): Promise<Store> {
  try {
    // A look first: opened as a store, a database would be made or migrated.
    const source =
      database.engine === "pglite"
        ? await openPgliteSource(database.dataDirectory)
        : await openPostgresSource(database.options);
    await source.close();
  } catch (error) {
    if (error instanceof Problem && error.code === "source_outdated") {
      throw problem("source_outdated", {
        detail: "The database's tables are of an older version.",
        remedy: "Start this version's gateway on it once, stop it, and run the command again.",
        cause: error,
      });
    }
    throw error;
  }
  if (database.engine === "pglite") return await openPglite({ dataDirectory: database.dataDirectory });
  // One connection, so that every other one that is there is somebody else's.
  return await openPostgres({ ...database.options, poolSize: 1, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
}
