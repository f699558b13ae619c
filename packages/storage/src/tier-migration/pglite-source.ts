import { existsSync } from "node:fs";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { vector } from "@electric-sql/pglite-pgvector";
import type { Problem } from "@mosaicstack/foundation";
import { lockDataDirectory } from "../data-directory-lock.ts";
import { problem } from "../problems.ts";
import { countRows, identify, type MigrationSource, refuseOtherSchema, type Run } from "./migration-source.ts";
import { digestOf, type DigestRow, digestSql, TEXT_SETTINGS } from "./table-digest.ts";
import type { TablePlan } from "./table-plan.ts";

/** What one page is kept to: enough to cost little, small enough that the target is never left waiting. */
const PAGE_BYTES = 1_048_576;
const PAGE_ROWS = 5_000;

/**
 * Opens an embedded database for reading, under its data directory's lock.
 *
 * @param dataDirectory the database's own, as `openPglite` takes it; nothing is made where there is none.
 * @throws Problem source_missing, source_outdated, database_newer, data_directory_locked, data_directory_unusable
 */
export async function openPgliteSource(dataDirectory: string): Promise<MigrationSource> {
  const files = join(dataDirectory, "database");
  if (!existsSync(join(files, "PG_VERSION")) || existsSync(join(dataDirectory, "database.unfinished"))) {
    throw problem("source_missing", { detail: `There is no database in ${dataDirectory}.` });
  }
  let lost: Problem | undefined;
  const lock = await lockDataDirectory(dataDirectory, { onLost: (taken) => (lost = taken) });
  let client: PGlite | undefined;
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    // Closing writes a checkpoint, which must not be when the files are another's.
    if (lost === undefined) await client?.close();
    await lock.release();
  };
  try {
    client = await start(files);
    const opened = client;
    const run: Run = async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
      if (lost !== undefined) throw lost;
      return (await opened.query<Row>(sql, [...values])).rows;
    };
    await opened.exec(`${TEXT_SETTINGS}; begin isolation level repeatable read read only`);
    await refuseOtherSchema(run);
    const known = await identify(run);
    return {
      ...known,
      count: async ({ sql }) => await countRows(run, sql),
      digest: async (table) => digestOf((await run<DigestRow>(digestSql(table)))[0]),
      read: (table) => readPages(opened, run, table),
      close: () => (closed ??= close()),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(files: string): Promise<PGlite> {
  try {
    // An extension that was once created in a database is needed at every start of it.
    const client = new PGlite({ dataDir: files, extensions: { vector, pg_trgm } });
    await client.waitReady;
    return client;
  } catch (cause) {
    throw problem("data_directory_unusable", {
      detail: `The database in ${files} can't be started.`,
      remedy: "Restore the data directory from a backup; the cause has more.",
      cause,
    });
  }
}

/** Pages along the primary key, each written by the database itself: no row becomes a JavaScript object. */
async function* readPages(client: PGlite, run: Run, table: TablePlan): AsyncGenerator<Buffer> {
  const key = `(${table.key.map(({ name }) => name).join(", ")})`;
  let after: string | undefined;
  for (;;) {
    const last = await lastOfPage(run, table, after);
    if (last === undefined) return;
    const above = after === undefined ? "" : `${key} > ${after} and `;
    const page = `select ${table.columns.join(", ")} from ${table.sql} where ${above}${key} <= ${last} order by ${key}`;
    const { blob } = await client.query(`copy (${page}) to '/dev/blob'`);
    if (blob === undefined || blob === null) throw new Error("COPY gave no text");
    yield Buffer.from(await blob.arrayBuffer());
    after = last;
  }
}

/** The key of a page's last row as an SQL row value; undefined after the last page. */
async function lastOfPage(run: Run, table: TablePlan, after: string | undefined): Promise<string | undefined> {
  const names = table.key.map(({ name }) => name);
  const order = names.join(", ");
  const from = after === undefined ? "" : `where (${order}) > ${after}`;
  const [row] = await run<Record<string, string>>(
    `select ${table.key.map(({ name }, index) => `${name}::text as k${index}`).join(", ")} from (
       select ${order}, row_number() over (order by ${order}) as n, sum(bytes) over (order by ${order}) as total
       from (select ${order}, ${table.bytes} as bytes from ${table.sql} ${from} order by ${order} limit ${PAGE_ROWS}) as page
     ) as sized where n = 1 or total <= ${PAGE_BYTES} order by n desc limit 1`,
  );
  if (row === undefined) return undefined;
  return `(${table.key.map(({ type }, index) => `${literal(row[`k${index}`] ?? "")}::${type}`).join(", ")})`;
}

/** PostgreSQL reads backslashes as they are unless the text starts with E. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
