import { TLSSocket } from "node:tls";
import pg from "pg";
import { problemOfOpening } from "../adapters/one-connection.ts";
import { clientConfig, DEFAULT_CONNECT_TIMEOUT_MS, type PostgresOptions } from "../adapters/postgres-connection.ts";
import { queryOf } from "../adapters/postgres-migration.ts";
import { type ExtensionFindings, extensionFindings } from "../adapters/extension-findings.ts";
import {
  mayCreateVector,
  type VectorFindings,
  vectorFindings,
  vectorUnavailable,
} from "../adapters/vector-extension.ts";
import { connectionProblem } from "../database-faults.ts";
import { type MigrationState, migrationSets, migrationState } from "../migrate.ts";
import { type PeerReaderFault, peerReaderFault, peerReaderRoleFault } from "../peer-reader/peer-reader-faults.ts";
import { problem } from "../problems.ts";

/** What a look at a PostgreSQL found. Nothing in it is secret but the role's name. */
export interface PostgresFindings {
  /** One statement there and back, once connected. */
  readonly latencyMs: number;
  /** E.g. `18.4`. */
  readonly version: string;
  /** Whether this connection is encrypted. */
  readonly tls: boolean;
  /** The server's clock less this machine's, give or take half of `latencyMs`: positive where the server is ahead. */
  readonly clockSkewMs: number;
  readonly vector: VectorFindings;
  /** pg_trgm, which every tier needs. */
  readonly trigrams: ExtensionFindings;
  /** The role a gateway runs as. */
  readonly role: {
    readonly user: string;
    readonly superuser: boolean;
    /** No policy of row security holds for it. */
    readonly bypassesRowSecurity: boolean;
    /** It owns a table of the schema, or may create one: it's more than a gateway needs to run. */
    readonly ownsSchema: boolean;
  };
  readonly migrations: MigrationState;
  /** What is wrong with the second wall; undefined where nothing is that the start won't mend, or `vector` wasn't asked for. */
  readonly peerReader: PeerReaderFault | undefined;
}

/**
 * Looks whether a gateway could open this database, as the role it runs as: connects once, only reads, and is done after
 * `connectTimeoutMs` in all, whatever the server does.
 *
 * Migrations that are missing, or newer than this program, are told and not refused.
 *
 * @throws Problem database_unreachable; vector_unavailable where `vector` is asked for, isn't there and couldn't be made;
 *   database_outdated where the role may not even read which migrations there are
 */
export async function probePostgres(options: PostgresOptions): Promise<PostgresFindings> {
  const limitMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
  const client = new pg.Client(clientConfig(options));
  client.on("error", () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(connectionProblem(new Error("timeout"), options)), limitMs);
  });
  try {
    return await Promise.race([look(client, options), late]);
  } catch (error) {
    throw problemOfOpening(error, options);
  } finally {
    clearTimeout(timer);
    // Not a polite end, which a server that hangs would never answer.
    client.connection.stream.destroy();
  }
}

async function look(client: pg.Client, options: PostgresOptions): Promise<PostgresFindings> {
  await client.connect().catch((error: unknown) => {
    throw connectionProblem(error, options);
  });
  const { rows } = await client.query<ServerRow>(SERVER_SQL);
  const [server] = rows;
  if (server === undefined) throw new Error("the server told nothing of itself");
  const clock = await readClock(client);
  const vector = await vectorFindings(client);
  if (options.vector === true) await refuseWithoutVector(client, vector, options);
  const trigrams = await extensionFindings(client, "pg_trgm");
  const migrations = await migrationState(migrationSets({ vector: options.vector ?? false }), queryOf(client));
  return {
    ...clock,
    version: `${Math.floor(server.version / 10_000)}.${server.version % 10_000}`,
    tls: client.connection.stream instanceof TLSSocket,
    vector,
    trigrams,
    role: {
      user: server.user,
      superuser: server.superuser,
      bypassesRowSecurity: server.bypasses,
      ownsSchema: server.owns,
    },
    migrations,
    peerReader: options.vector === true ? await wallFault(client, options, migrations) : undefined,
  };
}

/** The start applies what is missing and makes the role where it may: then only what is there already can be wrong. */
async function wallFault(
  client: pg.Client,
  { user, migrateAs }: PostgresOptions,
  migrations: MigrationState,
): Promise<PeerReaderFault | undefined> {
  const query = queryOf(client);
  if (migrations === "current") return await peerReaderFault(query, user);
  const [migrates] = await query<{ makes: boolean }>(
    "select rolsuper or rolcreaterole as makes from pg_roles where rolname = $1",
    [migrateAs?.user ?? user],
  );
  return migrates?.makes === true ? undefined : await peerReaderRoleFault(query, user);
}

interface ServerRow {
  readonly version: number;
  readonly user: string;
  readonly superuser: boolean;
  readonly bypasses: boolean;
  readonly owns: boolean;
}

const SERVER_SQL = `
  select current_setting('server_version_num')::int4 as version, current_user::text as user,
         rolsuper as superuser, rolsuper or rolbypassrls as bypasses,
         exists (select from pg_namespace as space where space.nspname = 'public'
                 and (has_schema_privilege(space.oid, 'CREATE')
                      or exists (select from pg_class where relnamespace = space.oid and relkind in ('r', 'p')
                                 and pg_has_role(relowner, 'USAGE')))) as owns
  from pg_roles where rolname = current_user`;

/** The second statement of a connection: the first may have waited for the server's caches. */
async function readClock(client: pg.Client): Promise<Pick<PostgresFindings, "latencyMs" | "clockSkewMs">> {
  const [asked, began] = [Date.now(), performance.now()];
  const { rows } = await client.query<{ now: number }>(
    "select extract(epoch from clock_timestamp())::float8 * 1000 as now",
  );
  const latencyMs = performance.now() - began;
  return { latencyMs, clockSkewMs: Math.round((rows[0]?.now ?? 0) - (asked + latencyMs / 2)) };
}

async function refuseWithoutVector(
  client: pg.Client,
  { available, installed }: VectorFindings,
  options: PostgresOptions,
): Promise<void> {
  if (installed !== undefined) return;
  if (available === undefined) throw vectorUnavailable("absent", options);
  const may = await mayCreateVector(client, options.migrateAs?.user ?? options.user);
  if (may === undefined) {
    throw problem("database_unreachable", {
      detail: `PostgreSQL at ${options.host}:${options.port} has no such role as the one that is to migrate.`,
      remedy: "Check database.migrationUser; deploy/postgresql/create-roles.sh makes the role.",
      extensions: { service: "postgresql", host: options.host, port: options.port, cause: "no such migrating role" },
    });
  }
  if (!may) throw vectorUnavailable("forbidden", options);
}
