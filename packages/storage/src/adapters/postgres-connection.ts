import pg, { type ClientConfig } from "pg";

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
  /**
   * `require` encrypts without checking the server's certificate (with a `ca`, it checks the chain, as libpq does, and not
   * the name), `verify` checks chain and name. Default `off`. None of them falls back to another.
   */
  readonly tls?: "off" | "require" | "verify";
  /** The authority of the server's certificate, PEM, in the place of those Node trusts. */
  readonly ca?: string;
  /** The role that owns the schema, where it isn't `user`: it migrates and does nothing else (deploy/postgresql). */
  readonly migrateAs?: { readonly user: string; readonly password?: string };
  /** The most connections held open. Default 10. */
  readonly poolSize?: number;
  /** The longest one statement may run, or a transaction may idle; migrations apart. Default 30,000. */
  readonly statementTimeoutMs?: number;
  /** The longest wait for a connection, new or from the pool. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** The longest wait for another process that migrates the same database. Default 60,000. */
  readonly migrationWaitMs?: number;
  /** Whether the `vector` extension and the tables that need it are to be there; made where they aren't. Default false. */
  readonly vector?: boolean;
}

export const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** How pg connects as `user`. */
export function clientConfig(options: PostgresOptions): ClientConfig {
  const { host, port, name, user, password } = options;
  return {
    host,
    port,
    database: name,
    user,
    ...(password === undefined ? {} : { password }),
    ssl: secureOptions(options),
    connectionTimeoutMillis: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    application_name: "mosaic",
    keepAlive: true,
  };
}

/** The same, as the role that migrates. */
export function migratingConfig(options: PostgresOptions): ClientConfig {
  const { migrateAs } = options;
  if (migrateAs === undefined) return clientConfig(options);
  // The runtime role's password isn't the owner's: without one of its own, none is sent.
  const { password: _, ...rest } = options;
  return clientConfig({ ...rest, ...migrateAs });
}

function secureOptions({ tls = "off", ca }: PostgresOptions): ClientConfig["ssl"] {
  if (tls === "off") return false;
  const authority = ca === undefined ? {} : { ca };
  if (tls === "verify") return { rejectUnauthorized: true, ...authority };
  return ca === undefined
    ? { rejectUnauthorized: false }
    : { rejectUnauthorized: true, checkServerIdentity: () => undefined, ...authority };
}

/** Of pgvector 0.8: an index that found too few rows of those a search may see looks on, in place of giving fewer. */
const WHOLE_VECTOR_ANSWERS = "set hnsw.iterative_scan to strict_order";

/** The longest a statement waits for a lock, unless it may run less long itself. */
const LOCK_TIMEOUT_MS = 10_000;

/**
 * A statement, not start-up parameters: poolers refuse those. The page cost is that of solid-state disks and memory: at the
 * default, made for turning disks, a page of a list is read past every row of other spaces instead of along its space's index.
 *
 * @param statementTimeoutMs 0: without limit, as are locks and idle transactions then.
 */
export function sessionSettings(statementTimeoutMs: number): string {
  return [
    "set timezone to 'UTC'",
    "set random_page_cost to 1.1",
    WHOLE_VECTOR_ANSWERS,
    `set statement_timeout to ${statementTimeoutMs}`,
    `set lock_timeout to ${Math.min(statementTimeoutMs, LOCK_TIMEOUT_MS)}`,
    // A transaction whose process hangs would keep its locks for good.
    `set idle_in_transaction_session_timeout to ${statementTimeoutMs}`,
  ].join("; ");
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

/** How the values of a statement's answer are read. */
export const valueTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    TEXT_TYPES.includes(oid) ? asText : (pg.types.getTypeParser(oid, format) as (value: string) => unknown),
};
