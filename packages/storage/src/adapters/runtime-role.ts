import { getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { problem } from "../problems.ts";
import * as schema from "../schema/index.ts";
import { peerReaderFault, type PeerReaderFault } from "../peer-reader/peer-reader-faults.ts";
import { withOneConnection } from "./one-connection.ts";
import type { PostgresOptions } from "./postgres-connection.ts";
import { queryOf } from "./postgres-migration.ts";

const TABLES: readonly string[] = Object.values(schema).flatMap((each) =>
  is(each, PgTable) ? [getTableName(each)] : [],
);

/**
 * Where another role has migrated: that the one a gateway runs as can connect, and read every table of ours. Found here it stops
 * the start; found later, each request would fail by itself.
 *
 * @throws Problem database_unreachable, database_forbidden
 */
export function checkRuntimeRole(options: PostgresOptions): Promise<void> {
  return withOneConnection(options, "runtime", async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class
       where relname = any($1) and relnamespace = 'public'::regnamespace and not has_table_privilege(oid, 'SELECT')
       order by relname limit 3`,
      [TABLES],
    );
    if (rows.length === 0) return;
    throw problem("database_forbidden", {
      detail: `The database's user may not read ${rows.map(({ name }) => name).join(", ")}.`,
      extensions: { service: "postgresql", host: options.host, port: options.port, cause: "not permitted" },
    });
  });
}

/**
 * Whether what peers read stands behind the second wall, and the role a gateway runs as can put it there.
 *
 * @throws Problem database_unreachable
 */
export async function lookAtSecondWall(options: PostgresOptions): Promise<PeerReaderFault | undefined> {
  let fault: PeerReaderFault | undefined;
  await withOneConnection(options, "runtime", async (client) => {
    fault = await peerReaderFault(queryOf(client), options.user);
  });
  return fault;
}
