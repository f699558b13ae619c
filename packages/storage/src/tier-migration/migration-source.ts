import { createHash } from "node:crypto";
import { migrationSets, migrationState } from "../migrate.ts";
import { problem } from "../problems.ts";
import type { TableDigest } from "./table-digest.ts";
import type { TablePlan } from "./table-plan.ts";

/** A database that is read from, as it was at one moment. Nothing here writes to it. */
export interface MigrationSource {
  /** The database itself, whatever is in it: to refuse copying one onto itself. */
  readonly database: string;
  /** Stays the same for as long as its first user is there; two gateways never have the same. */
  readonly identity: string;
  /** Rows of a table, all of them. */
  count(table: { readonly sql: string }): Promise<number>;
  digest(table: TablePlan): Promise<TableDigest>;
  /** A table in PostgreSQL's COPY text, a line a row, some at a time: whoever reads slowly keeps little in memory. */
  read(table: TablePlan): AsyncIterable<Buffer>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Runs one statement. */
export type Run = <Row extends object>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;

/**
 * @throws Problem source_outdated, source_missing, database_newer: its tables have to be those this program knows. They
 * aren't brought up to date here: nothing may be written there.
 */
export async function refuseOtherSchema(run: Run): Promise<void> {
  // Embeddings, and so their migrations, stay behind.
  switch (await migrationState(migrationSets({ vector: false }), run)) {
    case "none":
      throw problem("source_missing", { detail: "The database is there, and no gateway has ever used it." });
    case "behind":
      throw problem("source_outdated");
    case "newer":
      throw problem("database_newer");
    case "current":
  }
}

/** Rows of a table; none where there is no such table, as with embeddings on tiers without them. */
export async function countRows(run: Run, sql: string): Promise<number> {
  const [table] = await run<{ there: boolean }>(`select to_regclass('${sql}') is not null as there`);
  if (table?.there !== true) return 0;
  const [row] = await run<{ rows: string }>(`select count(*)::text as rows from ${sql}`);
  return Number(row?.rows ?? 0);
}

/** What tells this database from all others, see {@link MigrationSource}. */
export async function identify(run: Run): Promise<Pick<MigrationSource, "database" | "identity">> {
  const database = await databaseIdentity(run);
  // Databases made from one snapshot have the same system identifier: random ids in them tell them apart.
  const [first] = await run<{ user: string | null; authority: string | null }>(
    `select (select id::text from public.users order by id limit 1) as user,
       (select id::text from public.certificate_authorities order by id limit 1) as authority`,
  );
  const parts = JSON.stringify([database, first?.user ?? null, first?.authority ?? null]);
  return { database, identity: createHash("sha256").update(parts).digest("hex") };
}

/** A server's number and the database's on it. */
export async function databaseIdentity(run: Run): Promise<string> {
  const [row] = await run<{ server: string; database: string }>(
    `select (select system_identifier::text from pg_control_system()) as server,
       (select oid::text from pg_database where datname = current_database()) as database`,
  );
  return `${row?.server ?? ""}/${row?.database ?? ""}`;
}
