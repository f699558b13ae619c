import pg from "pg";
import { migratingConfig, type PostgresOptions } from "../adapters/postgres-connection.ts";
import { connectionProblem, databaseProblem, fullProblem, isConnectionFault } from "../database-faults.ts";
import type { Run } from "./migration-source.ts";
import { TEXT_SETTINGS } from "./table-digest.ts";

/** What the migration calls itself to a server, so that it can be told from a gateway, which is `mosaic`. */
const APPLICATION = "mosaic-migrate-tier";
const CLOSE_MS = 2_000;

/** One connection, used by one caller at a time. */
export interface MigrationConnection {
  readonly client: pg.Client;
  readonly run: Run;
  /** Runs work on the connection; a lost connection, and a server without room, is a Problem. */
  readonly guard: <Result>(work: Promise<Result>) => Promise<Result>;
  /** Sessions of gateways in this database. */
  gateways(): Promise<number>;
  close(): Promise<void>;
}

/** @throws Problem database_unreachable */
export async function connect(options: PostgresOptions): Promise<MigrationConnection> {
  const client = new pg.Client({ ...migratingConfig(options), application_name: APPLICATION });
  // A lost connection fails what it runs; unheard, the event ends the process.
  client.on("error", () => undefined);
  const guard = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      const known = databaseProblem(error) ?? fullProblem(error, options);
      throw known ?? (isConnectionFault(error) ? connectionProblem(error, options) : error);
    }
  };
  const run: Run = async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
    await guard(client.query<Row & pg.QueryResultRow>(sql, [...values]).then(({ rows }) => rows));
  const close = async (): Promise<void> => {
    // In the middle of a COPY the server doesn't listen: then the socket itself is closed, and what was begun is undone.
    const cut = setTimeout(() => streamOf(client).destroy(), CLOSE_MS);
    await client.end().catch(() => undefined);
    clearTimeout(cut);
  };
  try {
    await client.connect().catch((error: unknown) => {
      throw connectionProblem(error, options);
    });
    await run(TEXT_SETTINGS);
  } catch (error) {
    await close();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return {
    client,
    run,
    guard,
    async gateways() {
      const [row] = await run<{ sessions: number }>(
        `select count(*)::int as sessions from pg_stat_activity
         where datname = current_database() and application_name = 'mosaic' and pid <> pg_backend_pid()`,
      );
      return row?.sessions ?? 0;
    },
    close: () => (closed ??= close()),
  };
}

function streamOf(client: pg.Client): { destroy(): void } {
  return (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
}
