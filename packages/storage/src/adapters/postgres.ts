import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg, { type Pool, type PoolClient } from "pg";
import { connectionProblem, databaseProblem, isConnectionFault, isTimeout } from "../database-faults.ts";
import { problem } from "../problems.ts";
import { peerRead } from "../peer-reader/peer-read.ts";
import { PeerTurns } from "../peer-reader/peer-turns.ts";
import { SecondWall } from "../peer-reader/second-wall.ts";
import * as schema from "../schema/index.ts";
import { StatementNames } from "../statement-names.ts";
import type { Store } from "../store.ts";
import { TransactionScope } from "../transaction-scope.ts";
import {
  clientConfig,
  DEFAULT_CONNECT_TIMEOUT_MS,
  type PostgresOptions,
  sessionSettings,
  valueTypes,
} from "./postgres-connection.ts";
import { migratePostgres } from "./postgres-migration.ts";
import { checkRuntimeRole, lookAtSecondWall } from "./runtime-role.ts";

/** The longest a peer's statement may run: whoever asked has given up by then. */
const PEER_STATEMENT_MS = 5_000;

/**
 * Opens a PostgreSQL database, migrated. Several processes may do so at once: one migrates, the others wait for it.
 *
 * A connection fault during use is a Problem from `query` and `transaction`; from the `db` it comes wrapped by drizzle, and
 * `databaseProblem` finds it. The pool replaces lost connections, so the store works again as soon as the server does.
 *
 * @throws Problem database_unreachable, database_newer, database_outdated, database_forbidden, migrations_busy,
 *   vector_unavailable, peer_reader_unavailable
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  await migratePostgres(options);
  if (options.migrateAs !== undefined) await checkRuntimeRole(options);
  const wall = new SecondWall(() => lookAtSecondWall(options), options);
  if (options.vector === true) await wall.check();

  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const peerTimeoutMs = Math.min(statementTimeoutMs, PEER_STATEMENT_MS);
  const poolSize = options.poolSize ?? 10;
  const pool = new pg.Pool({
    ...clientConfig(options),
    max: poolSize,
    // One stays connected, so that whoever moves or re-seals the database sees that a gateway uses it.
    min: 1,
    // What a peer's read needs around its statement goes out with it, in one round trip. Elsewhere each answer is awaited.
    pipeline: true,
    // The server ends a slow statement itself; if it can't say so any more, the connection is given up.
    query_timeout: statementTimeoutMs + 5_000,
  });
  // A lost idle connection is dropped by the pool; one in use fails its statement. Unheard, either event ends the process.
  pool.on("error", () => undefined);
  /** What the server last said over a connection, which pg doesn't repeat to the statement that finds it gone. */
  const lastWords = new WeakMap<object, Error>();
  pool.on("connect", (client) => {
    client.on("error", (error) => lastWords.has(client) || lastWords.set(client, error));
    // Queued before the statement the connection was made for. Where it fails, so does that one.
    client.query(sessionSettings(statementTimeoutMs)).catch(() => undefined);
  });

  const scope = new TransactionScope();
  const withClient = async <Result>(
    work: (client: PoolClient, condemn: () => void) => Promise<Result>,
  ): Promise<Result> => {
    scope.refuseInside();
    if (pool.ending) throw problem("database_closed");
    const client = await pool.connect().catch((error: unknown) => {
      throw connectionProblem(error, options);
    });
    let lost = false;
    let isCondemned = false;
    try {
      return await work(client, () => (isCondemned = true));
    } catch (error) {
      lost = isConnectionFault(error);
      const cause = lost ? (lastWords.get(client) ?? error) : error;
      if (isTimeout(cause)) throw problem("database_timeout", { cause });
      if (lost) throw connectionProblem(cause, options);
      throw databaseProblem(error) ?? error;
    } finally {
      client.release(lost || isCondemned);
    }
  };

  const db = pooledDatabase(withClient, scope);
  const names = new StatementNames("m");
  // A statement prepared by one role would be planned anew each time the other comes to run it.
  const peerNames = new StatementNames("p");
  const runOn = async <Row extends object>(
    client: PoolClient,
    text: string,
    parameters: readonly unknown[],
    name: string | undefined,
  ) => {
    const statement = { text, values: [...parameters], types: valueTypes, ...(name === undefined ? {} : { name }) };
    return (await client.query<Row>(statement)).rows;
  };
  const peers = new PeerTurns(poolSize, options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS);
  let closed: Promise<void> | undefined;
  return {
    engine: "postgres",
    db,
    query: <Row extends object>(text: string, parameters: readonly unknown[]) =>
      withClient((client) => runOn<Row>(client, text, parameters, names.of(text))),
    transaction: (work) => db.transaction(work),
    // The caller has its result before COMMIT is answered, which of a READ ONLY transaction has nothing to tell.
    readAsPeer: (bounds, work) =>
      new Promise((resolve, reject) => {
        const onClient = async (client: PoolClient, condemn: () => void): Promise<void> => {
          const read = peerRead(
            {
              begin: `begin isolation level repeatable read read only; set local statement_timeout = ${peerTimeoutMs}`,
              run: (sql) => sendWithNext(client, sql),
              query: (sql, parameters) => runOn(client, sql, parameters, names.of(sql)),
              queryBehindWall: (sql, parameters) => runOn(client, sql, parameters, peerNames.of(sql)),
              sendEnd() {
                ended = client.query("commit").catch(condemn);
              },
            },
            bounds,
          );
          let end = "rollback";
          let ended: Promise<unknown> | undefined;
          try {
            resolve(await scope.run(() => work(read)));
            end = "commit";
          } finally {
            read.end();
            // A connection that may still be the peers' reader, or in its transaction, is nobody else's any more.
            if (read.hasBegun) await client.query(end).catch(condemn);
            await ended;
          }
        };
        scope.refuseInside();
        wall.requireStanding();
        peers.run(() => withClient(onClient)).catch(reject);
      }),
    checkSecondWall: () => wall.check(),
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

/**
 * Sends statements in one write with what is sent next in this turn of the event loop: each write is a call into the kernel that
 * wakes the server up, and was a fifth of what a peer's read costs this process.
 */
async function sendWithNext(client: PoolClient, sql: string): Promise<unknown> {
  const { stream } = client.connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
  return await client.query(sql);
}
