import { to } from "pg-copy-streams";
import type { PostgresOptions } from "../adapters/postgres-connection.ts";
import { problem } from "../problems.ts";
import { connect } from "./migration-connection.ts";
import { countRows, identify, type MigrationSource, refuseOtherSchema } from "./migration-source.ts";
import { digestOf, type DigestRow, digestSql } from "./table-digest.ts";

/**
 * Opens a PostgreSQL database for reading: one transaction, so one moment, for everything.
 *
 * @throws Problem source_in_use while a gateway is connected to it: what that one writes from now on would stay behind;
 * source_missing, source_outdated, database_newer, database_unreachable
 */
export async function openPostgresSource(options: PostgresOptions): Promise<MigrationSource> {
  // Reading takes none of the rights of the role that migrates.
  const { migrateAs: _, ...asRuntime } = options;
  const connection = await connect(asRuntime);
  const { run, client } = connection;
  try {
    const sessions = await connection.gateways();
    if (sessions > 0) {
      throw problem("source_in_use", {
        detail: `A gateway has ${sessions} connections to the database ${options.name} at ${options.host}:${options.port}.`,
      });
    }
    await run("begin isolation level repeatable read read only");
    await refuseOtherSchema(run);
    const known = await identify(run);
    return {
      ...known,
      count: async ({ sql }) => await countRows(run, sql),
      digest: async (table) => digestOf((await run<DigestRow>(digestSql(table)))[0]),
      read: (table) => client.query(to(`copy (select ${table.columns.join(", ")} from ${table.sql}) to stdout`)),
      close: async () => await connection.close(),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
