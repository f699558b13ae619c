import type { Run } from "./migration-source.ts";
import type { TableDigest } from "./table-digest.ts";

/**
 * What a migration has put into the target, written there with the rows themselves: one transaction has both, so a table
 * is recorded exactly if it is there. It stays as the record of where the rows came from.
 */
export interface MigrationRecord {
  /** Makes the tables it is kept in. */
  prepare(): Promise<void>;
  /** Tables this source's migration has finished, as they were then. */
  finished(): Promise<ReadonlyMap<string, TableDigest>>;
  begin(): Promise<void>;
  tableFinished(table: string, digest: TableDigest): Promise<void>;
  end(): Promise<void>;
}

const RUNS = "drizzle.tier_migrations";
const TABLES = "drizzle.tier_migration_tables";

/** @param source the identity of the database the rows come from */
export function createRecord(run: Run, source: string): MigrationRecord {
  return {
    async prepare() {
      await run("create schema if not exists drizzle");
      await run(
        `create table if not exists ${RUNS} (
           source text primary key, started_at timestamptz not null default now(), finished_at timestamptz)`,
      );
      await run(
        `create table if not exists ${TABLES} (
           source text not null references ${RUNS}, table_name text not null, rows bigint not null,
           checksum text not null, finished_at timestamptz not null default now(), primary key (source, table_name))`,
      );
    },
    async finished() {
      const [table] = await run<{ there: boolean }>(`select to_regclass('${TABLES}') is not null as there`);
      if (table?.there !== true) return new Map();
      const rows = await run<{ table_name: string; rows: string; checksum: string }>(
        `select table_name, rows::text as rows, checksum from ${TABLES} where source = $1`,
        [source],
      );
      return new Map(rows.map((row) => [row.table_name, { rows: Number(row.rows), checksum: row.checksum }]));
    },
    async begin() {
      await run(`insert into ${RUNS} (source) values ($1) on conflict do nothing`, [source]);
    },
    async tableFinished(table, { rows, checksum }) {
      // A later run that changes nothing leaves the record as it is too.
      await run(
        `insert into ${TABLES} as known (source, table_name, rows, checksum) values ($1, $2, $3, $4)
         on conflict (source, table_name) do update
         set rows = excluded.rows, checksum = excluded.checksum, finished_at = excluded.finished_at
         where (known.rows, known.checksum) is distinct from (excluded.rows, excluded.checksum)`,
        [source, table, rows, checksum],
      );
    },
    async end() {
      await run(`update ${RUNS} set finished_at = now() where source = $1 and finished_at is null`, [source]);
    },
  };
}
