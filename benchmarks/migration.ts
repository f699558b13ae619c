import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  migrateTier,
  type MigrationSource,
  openMigrationTarget,
  openPglite,
  openPgliteSource,
  openPostgres,
  planTables,
  type TablePlan,
} from "@mosaicstack/storage";
import pg from "pg";
import { from } from "pg-copy-streams";
import { addressOf, makeDatabase } from "./databases.ts";
import { median } from "./figures.ts";

/** `mosaic storage migrate-tier` beside PostgreSQL being handed the same rows as text that is ready. */
export interface MigrationFigures {
  readonly rows: number;
  /** Of the rows as COPY text. */
  readonly bytes: number;
  readonly floorRowsPerSecond: number;
  readonly rowsPerSecond: number;
  /** Of the rounds' ratios, the median. */
  readonly ratio: number;
  /** The most resident memory while rows move, above what it was with both databases open. */
  readonly growthBytes: number;
}

interface PreparedTable {
  readonly table: TablePlan;
  readonly chunks: readonly Buffer[];
}

const USERS = 100;
const SAMPLE_MS = 20;

/**
 * The same rows into the same empty tables of the same server, floor and candidate in turn. The candidate reads them from
 * PGlite and compares both sides at the end; the floor does neither.
 *
 * @param server on which databases are made and dropped
 */
export async function measureMigration(
  folder: string,
  server: string,
  tasks: number,
  rounds: number,
): Promise<MigrationFigures> {
  const dataDirectory = join(folder, "migrated");
  await seed(dataDirectory, tasks);
  const source = await openPgliteSource(dataDirectory);
  try {
    const prepared = await prepare(source);
    const floors: number[] = [];
    const candidates: number[] = [];
    let growthBytes = 0;
    for (let round = 0; round < rounds; round += 1) {
      floors.push(await inFreshDatabase(server, async (url) => await copyAll(url, prepared)));
      const { ms, grewBy } = await inFreshDatabase(server, async (url) => await migrate(url, source));
      candidates.push(ms);
      growthBytes = Math.max(growthBytes, grewBy);
    }
    const rows = tasks + USERS;
    return {
      rows,
      bytes: prepared.flatMap(({ chunks }) => chunks).reduce((sum, { length }) => sum + length, 0),
      floorRowsPerSecond: (rows / median(floors)) * 1000,
      rowsPerSecond: (rows / median(candidates)) * 1000,
      ratio: median(floors.map((floor, index) => floor / (candidates[index] ?? Number.NaN))),
      growthBytes,
    };
  } finally {
    await source.close();
  }
}

/** Tasks like those of the other measurements, made by the database: importing as many would take longer than all else. */
async function seed(dataDirectory: string, tasks: number): Promise<void> {
  const store = await openPglite({ dataDirectory, vector: true });
  const id = (number: string): string =>
    `(lpad(to_hex(${number}), 12, '0') || '7000800000000000' || lpad(to_hex(${number} % 65536), 4, '0'))::uuid`;
  try {
    await store.db.execute(
      `insert into users (id, name, email)
       select ${id("n")}, 'Person ' || n, 'person-' || n || '@example.org' from generate_series(1, ${USERS}) n`,
    );
    await store.db.execute(
      `insert into tasks (id, owner_id, key, title, description, status, properties, created_at, updated_at)
       select ${id("n")}, ${id(`(1 + n % ${USERS})`)}, 'T-' || n, 'Task ' || n || ': agree on the "quarterly" figures',
         repeat('Paragraph ' || n || '. ', 20), 'open',
         jsonb_build_object('priority', n % 5, 'labels', array['budget', 'sprint-' || n % 12]), now(), now()
       from generate_series(1, ${tasks}) n`,
    );
  } finally {
    await store.close();
  }
}

async function prepare(source: MigrationSource): Promise<PreparedTable[]> {
  const prepared: PreparedTable[] = [];
  for (const table of planTables().copied) {
    const chunks: Buffer[] = [];
    for await (const chunk of source.read(table)) chunks.push(chunk);
    if (chunks.length > 0) prepared.push({ table, chunks });
  }
  return prepared;
}

async function inFreshDatabase<Result>(server: string, measure: (url: string) => Promise<Result>): Promise<Result> {
  const database = await makeDatabase(server, "migration");
  try {
    await (await openPostgres({ ...addressOf(database.url), vector: true })).close();
    return await measure(database.url);
  } finally {
    await database.drop();
  }
}

async function copyAll(url: string, prepared: readonly PreparedTable[]): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const started = performance.now();
    for (const { table, chunks } of prepared) {
      await pipeline(chunks, client.query(from(`copy ${table.sql} (${table.columns.join(", ")}) from stdin`)));
    }
    return performance.now() - started;
  } finally {
    await client.end();
  }
}

async function migrate(
  url: string,
  source: MigrationSource,
): Promise<{ readonly ms: number; readonly grewBy: number }> {
  const target = await openMigrationTarget({ ...addressOf(url), vector: true });
  const before = process.memoryUsage().rss;
  let most = before;
  const look = (): void => {
    most = Math.max(most, process.memoryUsage().rss);
  };
  const sampling = setInterval(look, SAMPLE_MS);
  try {
    const started = performance.now();
    await migrateTier({ source, target, allowNonEmpty: false, signal: new AbortController().signal, onProgress: look });
    return { ms: performance.now() - started, grewBy: most - before };
  } finally {
    clearInterval(sampling);
    await target.close();
  }
}
