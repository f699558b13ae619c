import { migratePostgres } from "../adapters/postgres-migration.ts";
import type { PostgresOptions } from "../adapters/postgres-connection.ts";
import { sqlState } from "../database-faults.ts";
import { problem } from "../problems.ts";
import { connect, type MigrationConnection } from "./migration-connection.ts";
import { countRows, databaseIdentity } from "./migration-source.ts";
import { digestOf, type DigestRow, digestSql, type TableDigest } from "./table-digest.ts";
import type { TablePlan } from "./table-plan.ts";

/** "tier" in ASCII. Whoever migrates into a database holds this advisory lock. */
const TIER_LOCK = "1953063282";
const LOCK_WAIT_MS = 3_000;

/** The database that is written to, held against every other migration until it is closed. */
export interface MigrationTarget {
  readonly connection: MigrationConnection;
  /** As a source's `database`. */
  readonly database: string;
  count(table: { readonly sql: string }): Promise<number>;
  digest(table: TablePlan): Promise<TableDigest>;
  /** Brings the schema up to date. @throws Problem as openPostgres, target_forbidden */
  prepare(): Promise<void>;
  /** Runs `work` in one transaction of the connection. */
  transaction<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Undoes what is under way, and lets others in. Idempotent. */
  close(): Promise<void>;
}

export interface MigrationTargetOptions extends PostgresOptions {
  /** For a look: the server itself refuses every write. */
  readonly readOnly?: boolean;
}

/**
 * Connects to the target. Nothing is written until `prepare`.
 *
 * @throws Problem database_unreachable, migration_running, target_in_use while a gateway is connected to it
 */
export async function openMigrationTarget(options: MigrationTargetOptions): Promise<MigrationTarget> {
  const connection = await connect(options);
  const { run } = connection;
  try {
    if (options.readOnly === true) await run("set default_transaction_read_only to on");
    await takeLock(connection);
    const sessions = await connection.gateways();
    if (sessions > 0) {
      throw problem("target_in_use", {
        detail: `A gateway has ${sessions} connections to the database ${options.name} at ${options.host}:${options.port}.`,
      });
    }
    return {
      connection,
      database: await databaseIdentity(run),
      count: async ({ sql }) => await countRows(run, sql),
      digest: async (table) => digestOf((await run<DigestRow>(digestSql(table)))[0]),
      prepare: async () => await migratePostgres(options),
      async transaction(work) {
        await run("begin");
        try {
          const result = await work();
          await run("commit");
          return result;
        } catch (error) {
          await run("rollback").catch(() => undefined);
          throw error;
        }
      },
      close: async () => await connection.close(),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A killed run's lock goes once the server notices, which is usually at once. */
async function takeLock({ run }: MigrationConnection): Promise<void> {
  await run(`set lock_timeout to ${LOCK_WAIT_MS}`);
  await run(`select pg_advisory_lock(${TIER_LOCK})`).catch((error: unknown) => {
    throw sqlState(error) === "55P03" ? problem("migration_running") : error;
  });
  await run("set lock_timeout to 0");
}

/** What the server says of a right that is missing, as a problem. */
export function orForbidden(error: unknown): unknown {
  return sqlState(error) === "42501" ? problem("target_forbidden", { cause: error }) : error;
}
