import { existsSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PGlite, type PGliteOptions, types } from "@electric-sql/pglite";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { vector } from "@electric-sql/pglite-pgvector";
import { drizzle } from "drizzle-orm/pglite";
import { migrate as drizzleMigrate } from "drizzle-orm/pglite/migrator";
import { lockDataDirectory } from "../data-directory-lock.ts";
import { migrate, migrationSets } from "../migrate.ts";
import { peerRead } from "../peer-reader/peer-read.ts";
import { offerPeerReader } from "../peer-reader/peer-reader-role.ts";
import { peerReaderFault } from "../peer-reader/peer-reader-faults.ts";
import { SecondWall } from "../peer-reader/second-wall.ts";
import { problem } from "../problems.ts";
import * as schema from "../schema/index.ts";
import type { Store } from "../store.ts";
import { type HousekeepingOptions, keepHouse } from "./pglite-housekeeping.ts";
import { ScopedPglite } from "./scoped-pglite.ts";

export interface PgliteOptions {
  /** Absolute; made if it isn't there. Holds `database/`, and `lock/` while it's open: one process at a time. */
  readonly dataDirectory: string;
  /** Whether the `vector` extension and the tables that need it are to be there. Default false. */
  readonly vector?: boolean;
  /** What a database made here begins as, see {@link makePgliteSnapshot}. Default: made from nothing, which takes 2 s more. */
  readonly snapshot?: Blob;
  /** When to tidy up; the defaults are for production. */
  readonly housekeeping?: HousekeepingOptions;
}

export interface PgliteInMemoryOptions {
  /** Whether the `vector` extension and the tables that need it are to be there. Default false. */
  readonly vector?: boolean;
  /** What the database begins as, see {@link makePgliteSnapshot}. Default: made from nothing, which takes 2 s more. */
  readonly snapshot?: Blob;
}

/**
 * Opens the embedded database, migrated.
 *
 * It has one connection: statements queue, and a transaction holds the queue until it ends. Using the store inside its
 * own transaction is refused (see TransactionScope). What was committed outlives the process, however it ends; a power
 * failure may cost the last seconds, because PGlite doesn't pass fsync on to the disk.
 *
 * @throws Problem data_directory_locked, data_directory_unusable, database_newer
 */
export async function openPglite(options: PgliteOptions): Promise<Store> {
  const { dataDirectory } = options;
  let client: ScopedPglite | undefined;
  let store: Store | undefined;
  const lock = await lockDataDirectory(dataDirectory, { onLost: (lost) => client?.refuseFromNowOn(lost) });
  // While this file is there, nobody was ever handed the database: a first start cut short begins again from nothing.
  const unfinished = join(dataDirectory, "database.unfinished");
  try {
    client = await startIn(join(dataDirectory, "database"), unfinished, options.snapshot).catch((cause: unknown) => {
      throw problem("data_directory_unusable", {
        detail: `The database in ${dataDirectory} can't be started.`,
        remedy: "Restore the data directory from a backup, or give a new one; the log has the cause.",
        cause,
      });
    });
    const opened = await openStore(client, options.vector ?? false, () => lock.release());
    store = opened;
    await rm(unfinished, { force: true });
    const stopHousekeeping = keepHouse(client, options.housekeeping);
    return {
      ...opened,
      close: () => {
        stopHousekeeping();
        return opened.close();
      },
    };
  } catch (error) {
    await store?.close();
    await lock.release();
    throw error;
  }
}

async function startIn(dataDir: string, unfinished: string, snapshot: Blob | undefined): Promise<ScopedPglite> {
  if (existsSync(unfinished)) await rm(dataDir, { recursive: true, force: true });
  if (existsSync(join(dataDir, "PG_VERSION"))) return start({ dataDir });
  // PGlite would lay out its files among whatever is there.
  if (existsSync(dataDir) && (await readdir(dataDir)).length > 0) throw new Error(`${dataDir} holds no database`);
  await writeFile(unfinished, "");
  return start({ dataDir, ...(snapshot === undefined ? {} : { loadDataDir: snapshot }) });
}

/** Opens a database that is gone when it's closed, migrated. For tests and one-off work. */
export async function openPgliteInMemory(options: PgliteInMemoryOptions = {}): Promise<Store> {
  const client = await start(options.snapshot === undefined ? {} : { loadDataDir: options.snapshot });
  return openStore(client, options.vector ?? false, () => Promise.resolve());
}

/** An empty migrated database as an uncompressed tar (40 MB; gzip makes 5 of it, and PGlite opens that too). */
export async function makePgliteSnapshot(options: { readonly vector?: boolean } = {}): Promise<Blob> {
  const client = await start({});
  const store = await openStore(client, options.vector ?? false, () => Promise.resolve());
  try {
    return await client.dumpDataDir("none");
  } finally {
    await store.close();
  }
}

/**
 * The log's files are kept for reuse up to `max_wal_size`, on disk for good: PostgreSQL's 1 GB is no size for a home.
 * Pages come from memory, so a random one costs what the next one does; at PostgreSQL's 4.0 a table that ANALYZE hasn't
 * seen yet is sorted for each page of a list instead of read along its index.
 */
const SETTINGS = ["TimeZone=UTC", "max_wal_size=64MB", "min_wal_size=32MB", "random_page_cost=1.1"]
  // As PostgreSQL's connections have them.
  .concat("hnsw.iterative_scan=strict_order");

/** Both extensions are always loaded (15 ms): a database in which one was once created needs its library at every start. */
async function start(options: PGliteOptions): Promise<ScopedPglite> {
  const client = new ScopedPglite({
    ...options,
    extensions: { vector, pg_trgm },
    startParams: [...PGlite.defaultStartParams, ...SETTINGS.flatMap((setting) => ["-c", setting])],
  });
  await client.waitReady;
  return client;
}

const asText = (value: string): string => value;

/** Where PGlite and pg would differ, and where a JavaScript number would lose digits: the text PostgreSQL gives. */
const parsers = {
  [types.INT8]: asText,
  [types.NUMERIC]: asText,
  [types.DATE]: asText,
  [types.TIMESTAMP]: asText,
  [types.INTERVAL]: asText,
};

/** Whom PGlite runs every statement as, unless it becomes another. */
const SUPERUSER = "postgres";

async function openStore(client: ScopedPglite, withVector: boolean, release: () => Promise<void>): Promise<Store> {
  const db = drizzle(client, { schema });
  // Not prepared: measured, naming statements gains nothing here, where no parse crosses a network.
  const query: Store["query"] = async <Row extends object>(sql: string, parameters: readonly unknown[]) =>
    (await client.query<Row>(sql, [...parameters], { parsers })).rows;
  const wall = new SecondWall(() =>
    client.transaction(async (transaction) => {
      const look: Store["query"] = async <Row extends object>(sql: string, parameters: readonly unknown[]) =>
        (await transaction.query<Row>(sql, [...parameters], { parsers })).rows;
      const fault = await peerReaderFault(look, SUPERUSER);
      await transaction.rollback();
      return fault;
    }),
  );
  try {
    if (withVector) {
      await client.exec("create extension if not exists vector");
      await offerPeerReader(query, SUPERUSER);
    }
    await migrate(migrationSets({ vector: withVector }), (config) => drizzleMigrate(db, config), query);
    if (withVector) await wall.check();
  } catch (error) {
    await client.close();
    throw error;
  }
  const close = async (): Promise<void> => {
    try {
      // Waits for the statement or transaction that runs and for those queued before it.
      await client.close();
      await release();
    } catch (error) {
      closed = undefined; // It's open still, and may be closed properly.
      throw error;
    }
  };
  let closed: Promise<void> | undefined;
  return {
    engine: "pglite",
    db,
    query,
    transaction: (work) => db.transaction(work),
    readAsPeer: async (bounds, work) => {
      wall.requireStanding();
      return await client.transaction(async (transaction) => {
        const run = async <Row extends object>(sql: string, parameters: readonly unknown[]) =>
          (await transaction.query<Row>(sql, [...parameters], { parsers })).rows;
        const begin = "set transaction isolation level repeatable read, read only";
        const read = peerRead({ begin, run: (sql) => transaction.exec(sql), query: run, queryBehindWall: run }, bounds);
        try {
          return await work(read);
        } finally {
          read.end();
        }
      });
    },
    checkSecondWall: () => wall.check(),
    close: () => (closed ??= close()),
  };
}
