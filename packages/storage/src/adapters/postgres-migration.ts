import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as drizzleMigrate } from "drizzle-orm/node-postgres/migrator";
import type pg from "pg";
import { migrate, migrationSets, migrationState } from "../migrate.ts";
import { peerReaderProblem, peerReaderRoleFault } from "../peer-reader/peer-reader-faults.ts";
import { offerPeerReader } from "../peer-reader/peer-reader-role.ts";
import type { ReadStore } from "../store.ts";
import { withOneConnection } from "./one-connection.ts";
import { type PostgresOptions, sessionSettings } from "./postgres-connection.ts";
import { createTrigramExtension } from "./trigram-extension.ts";
import { createVectorExtension } from "./vector-extension.ts";

/** "mosaic" in ASCII. Whoever migrates a database holds this advisory lock. */
const MIGRATION_LOCK = "120399153752419";

/**
 * Brings the database up to date as the role that migrates; several processes may do so at once. Where nothing is missing,
 * nothing is locked and no right is needed beyond reading.
 *
 * @throws Problem database_unreachable, database_newer, database_outdated, migrations_busy, vector_unavailable,
 *   peer_reader_unavailable
 */
export function migratePostgres(options: PostgresOptions): Promise<void> {
  const vector = options.vector ?? false;
  const sets = migrationSets({ vector });
  return withOneConnection(options, "owner", async (client) => {
    await client.query(sessionSettings(0));
    const query = queryOf(client);
    if ((await migrationState(sets, query)) === "current") return;
    // Held until this connection ends, however it ends.
    await client.query(`set lock_timeout to ${options.migrationWaitMs ?? 60_000}`);
    await client.query(`select pg_advisory_lock(${MIGRATION_LOCK})`);
    await client.query("set lock_timeout to 0");
    await createTrigramExtension(client, options);
    if (vector) {
      await createVectorExtension(client, options);
      await offerPeerReader(query, options.user);
      // The policies are made for the role; who becomes it is looked at when a gateway opens the database.
      const fault = await peerReaderRoleFault(query, options.user, { becomes: false });
      if (fault !== undefined) throw peerReaderProblem(fault, options);
    }
    await migrate(sets, (config) => drizzleMigrate(drizzle(client), config), query);
  });
}

/** A connection's statements as {@link migrationState} wants them. */
export function queryOf(client: pg.Client): ReadStore["query"] {
  return async <Row extends object>(text: string, values: readonly unknown[]) =>
    (await client.query<Row>(text, [...values])).rows;
}
