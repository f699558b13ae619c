import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { migrate as drizzleMigrate } from "drizzle-orm/node-postgres/migrator";
import pg, { type ClientConfig, type Pool, type PoolClient } from "pg";
import { connectionProblem, databaseProblem, isConnectionFault, isTimeout, sqlState } from "../database-faults.ts";
import { migrate } from "../migrate.ts";
import { problem } from "../problems.ts";
import * as schema from "../schema/index.ts";
import { StatementNames } from "../statement-names.ts";
import type { Store } from "../store.ts";
import { TransactionScope } from "../transaction-scope.ts";

/** Where the database is and who asks. */
export interface PostgresAddress {
  /** A host name, an IP address (IPv6 without brackets), or the absolute path of a socket's directory. */
  readonly host: string;
  readonly port: number;
  /** The database's name. */
  readonly name: string;
  readonly user: string;
  readonly password?: string;
}

export interface PostgresOptions extends PostgresAddress {
  /** `require` encrypts without checking the server's certificate, `verify` checks chain and name. Default `off`. */
  readonly tls?: "off" | "require" | "verify";
  /** The most connections held open. Default 10. */
  readonly poolSize?: number;
  /** The longest one statement may run; migrations apart. Default 30,000. */
  readonly statementTimeoutMs?: number;
  /** The longest wait for a connection, new or from the pool. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** The longest wait for another process that migrates the same database. Default 60,000. */
  readonly migrationWaitMs?: number;
  /** Whether the `vector` extension is to be there; it's created where it isn't. Default false. */
  readonly vector?: boolean;
}

/** "mosaic" in ASCII. Whoever migrates a database holds this advisory lock. */
const MIGRATION_LOCK = "120399153752419";

/**
 * Opens a PostgreSQL database, migrated. Several processes may do so at once: one migrates, the others wait for it.
 *
 * A connection fault during use is a Problem from `query` and `transaction`; from the `db` it comes wrapped by drizzle, and
 * `databaseProblem` finds it. The pool replaces lost connections, so the store works again as soon as the server does.
 *
 * @throws Problem database_unreachable, database_newer, migrations_busy, vector_unavailable
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const config = clientConfig(options);
  await migrateAlone(config, options);

  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const pool = new pg.Pool({
    ...config,
    max: options.poolSize ?? 10,
    // The server ends a slow statement itself; if it can't say so any more, the connection is given up.
    query_timeout: statementTimeoutMs + 5_000,
  });
  // A lost idle connection is dropped by the pool; one in use fails its statement. Unheard, either event ends the process.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => {
    client.on("error", () => undefined);
    // Queued before the statement the connection was made for. Where it fails, so does that one.
    client.query(sessionSettings(statementTimeoutMs)).catch(() => undefined);
  });

  const scope = new TransactionScope();
  const withClient = async <Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> => {
    scope.refuseInside();
    if (pool.ending) throw new Error("The store is closed.");
    const client = await pool.connect().catch((error: unknown) => {
      throw connectionProblem(error, options);
    });
    let lost = false;
    try {
      return await work(client);
    } catch (error) {
      lost = isConnectionFault(error);
      if (lost) throw connectionProblem(error, options);
      if (isTimeout(error)) throw problem("database_timeout", { cause: error });
      throw databaseProblem(error) ?? error;
    } finally {
      client.release(lost);
    }
  };

  const db = pooledDatabase(withClient, scope);
  const names = new StatementNames();
  let closed: Promise<void> | undefined;
  return {
    engine: "postgres",
    db,
    query: async <Row extends object>(text: string, parameters: readonly unknown[]) => {
      const name = names.of(text);
      const statement = { text, values: [...parameters], types, ...(name === undefined ? {} : { name }) };
      return withClient(async (client) => (await client.query<Row>(statement)).rows);
    },
    transaction: (work) => db.transaction(work),
    close: () => (closed ??= pool.end()),
  };
}

/**
 * Drizzle over the pool. Its own way with a pool loses a connection for good when BEGIN fails, and pg's `pool.query` drops
 * the connection on every failed statement, a mere duplicate key too: so both get their connections from `withClient`.
 */
function pooledDatabase(
  withClient: <Result>(work: (client: PoolClient) => Promise<Result>) => Promise<Result>,
  scope: TransactionScope,
): NodePgDatabase<typeof schema> {
  const perClient = new WeakMap<PoolClient, NodePgDatabase<typeof schema>>();
  const databaseOf = (client: PoolClient) => {
    const known = perClient.get(client) ?? drizzle(client, { schema });
    perClient.set(client, known);
    return known;
  };
  // The one method of a client that drizzle calls outside a transaction.
  const query = (statement: pg.QueryConfig, values?: unknown[]) =>
    withClient((client) => client.query(statement, values));
  const db = drizzle({ query } as unknown as Pool, { schema });
  db.transaction = (work, config) =>
    withClient((client) => databaseOf(client).transaction((transaction) => scope.run(() => work(transaction)), config));
  return db;
}

async function migrateAlone(config: ClientConfig, options: PostgresOptions): Promise<void> {
  const client = new pg.Client(config);
  client.on("error", () => undefined);
  try {
    await client.connect().catch((error: unknown) => {
      throw connectionProblem(error, options);
    });
    // Held until this connection ends, however it ends.
    await client.query(`${sessionSettings(0)}; set lock_timeout to ${options.migrationWaitMs ?? 60_000}`);
    await client.query(`select pg_advisory_lock(${MIGRATION_LOCK})`);
    await client.query("set lock_timeout to 0");
    if (options.vector === true) await createVectorExtension(client);
    await migrate(
      (migrations) => drizzleMigrate(drizzle(client), migrations),
      async <Row extends object>(text: string, values: readonly unknown[]) =>
        (await client.query<Row>(text, [...values])).rows,
    );
  } catch (error) {
    throw problemOfOpening(error, options);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function problemOfOpening(error: unknown, options: PostgresOptions): unknown {
  if (sqlState(error) === "55P03") return problem("migrations_busy", { cause: error });
  return databaseProblem(error) ?? (isConnectionFault(error) ? connectionProblem(error, options) : error);
}

/** Absent and forbidden are two different errands for whoever runs the server. */
async function createVectorExtension(client: pg.Client): Promise<void> {
  try {
    await client.query("create extension if not exists vector");
  } catch (error) {
    if (isConnectionFault(error)) throw error;
    throw problem("vector_unavailable", {
      cause: error,
      ...(sqlState(error) === "42501"
        ? {
            detail: "pgvector is installed on the server, but this user may not enable it in the database.",
            remedy: "Have a superuser run in this database: CREATE EXTENSION vector",
          }
        : {
            detail: "pgvector isn't installed on the database server.",
            remedy: "Install pgvector for the server's PostgreSQL version, or use an image that has it.",
          }),
    });
  }
}

function clientConfig(options: PostgresOptions): ClientConfig {
  const { host, port, name, user, password, tls = "off" } = options;
  return {
    host,
    port,
    database: name,
    user,
    ...(password === undefined ? {} : { password }),
    ssl: tls === "off" ? false : { rejectUnauthorized: tls === "verify" },
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    application_name: "mosaic",
    keepAlive: true,
  };
}

/**
 * A statement, not start-up parameters: poolers refuse those. The page cost is that of solid-state disks and memory: at the
 * default, made for turning disks, a page of a list is read past every row of other spaces instead of along its space's index.
 */
function sessionSettings(statementTimeoutMs: number): string {
  return `set timezone to 'UTC'; set random_page_cost to 1.1; set statement_timeout to ${statementTimeoutMs}`;
}

/** Where pg and PGlite would differ, and where a JavaScript number would lose digits: the text PostgreSQL gives. */
const TEXT_TYPES: readonly number[] = [
  pg.types.builtins.INT8,
  pg.types.builtins.NUMERIC,
  pg.types.builtins.DATE,
  pg.types.builtins.TIMESTAMP,
  pg.types.builtins.INTERVAL,
];

const asText = (value: string): string => value;

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    TEXT_TYPES.includes(oid) ? asText : (pg.types.getTypeParser(oid, format) as (value: string) => unknown),
};
