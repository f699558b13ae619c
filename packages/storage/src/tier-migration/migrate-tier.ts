import { problem } from "../problems.ts";
import { copyTable, type TableResult } from "./copy-table.ts";
import { createRecord } from "./migration-record.ts";
import type { MigrationSource } from "./migration-source.ts";
import { type MigrationTarget, orForbidden } from "./migration-target.ts";
import { sameDigest } from "./table-digest.ts";
import { type MigrationTables, planTables } from "./table-plan.ts";

/** Rows of a table. */
export interface TableRows {
  readonly table: string;
  readonly rows: number;
}

/** What a migration would do. Found by reading alone. */
export interface MigrationPlan {
  /** In the order in which they are copied. */
  readonly tables: readonly TableRows[];
  readonly skipped: readonly (TableRows & { readonly reason: string })[];
  /** Of all tables that are copied. */
  readonly rows: number;
  /** Tables of the target that hold rows which no migration from this source has put there. */
  readonly occupied: readonly TableRows[];
  /** Tables that an earlier run of this migration has finished. */
  readonly finished: readonly TableRows[];
}

/**
 * Counts, and looks at what the target holds.
 * @param target absent: only the source is looked at
 * @throws Problem target_is_source
 */
export async function planMigration(
  source: MigrationSource,
  target?: MigrationTarget,
  plan: MigrationTables = planTables(),
): Promise<MigrationPlan> {
  if (target !== undefined) refuseItself(source, target);
  const tables: TableRows[] = [];
  for (const table of plan.copied) tables.push({ table: table.name, rows: await source.count(table) });
  const skipped: MigrationPlan["skipped"][number][] = [];
  for (const table of plan.skipped) {
    skipped.push({ table: table.name, rows: await source.count(table), reason: table.reason });
  }
  const found = target === undefined ? { occupied: [], finished: [] } : await lookAt(source, target, plan);
  return { tables, skipped, rows: tables.reduce((sum, { rows }) => sum + rows, 0), ...found };
}

async function lookAt(
  source: MigrationSource,
  target: MigrationTarget,
  plan: MigrationTables,
): Promise<Pick<MigrationPlan, "occupied" | "finished">> {
  const recorded = await createRecord(target.connection.run, source.identity).finished();
  const occupied: TableRows[] = [];
  const finished: TableRows[] = [];
  for (const table of plan.copied) {
    const rows = await target.count(table);
    const before = recorded.get(table.name);
    const asLeft = before !== undefined && before.rows === rows && sameDigest(before, await target.digest(table));
    if (asLeft) finished.push({ table: table.name, rows });
    else if (rows > 0) occupied.push({ table: table.name, rows });
  }
  return { occupied, finished };
}

export interface MigrationOptions {
  readonly source: MigrationSource;
  readonly target: MigrationTarget;
  /** Whether rows may be there already, see {@link MigrationPlan.occupied}. */
  readonly allowNonEmpty: boolean;
  /** Stops it between two pieces of a table; that table is undone then, and those before it stay. */
  readonly signal: AbortSignal;
  /** Hears of rows being sent, and of tables that are done. */
  readonly onProgress?: (progress: MigrationProgress) => void;
}

/** How far a migration is. */
export interface MigrationProgress {
  /** The table being copied or compared. */
  readonly table: string;
  /** Rows of all tables so far, those found there included. */
  readonly rows: number;
}

/**
 * Copies every row that moves, a table a transaction, and compares counts and checksums of both sides before each commit.
 * Whatever ends it, the source is as it was, and the next run goes on where this one ended.
 *
 * @throws Problem target_is_source, target_not_empty, target_conflict, target_forbidden, migration_differs, and what either database
 *   refuses with
 */
export async function migrateTier(options: MigrationOptions): Promise<readonly TableResult[]> {
  const { source, target, signal, onProgress = () => undefined } = options;
  const plan = planTables();
  refuseItself(source, target);
  if (!options.allowNonEmpty) refuseOccupied(await lookAt(source, target, plan));
  const record = createRecord(target.connection.run, source.identity);
  try {
    await target.prepare();
    await record.prepare();
    await record.begin();
    const results: TableResult[] = [];
    const at = { table: "", rows: 0 };
    const onRows = (more: number): void => {
      at.rows += more;
      onProgress({ ...at });
    };
    for (const table of plan.copied) {
      signal.throwIfAborted();
      at.table = table.name;
      const before = at.rows;
      const result = await target.transaction(async () => {
        const copied = await copyTable(table, { source, target, onRows, signal });
        await record.tableFinished(table.name, copied.inTarget);
        return copied.result;
      });
      at.rows = before;
      onRows(result.rows);
      results.push(result);
    }
    const written = plan.copied.filter((_, index) => (results[index]?.copied ?? 0) > 0);
    // Otherwise the first hour's lists are planned as for empty tables.
    if (written.length > 0) await target.connection.run(`analyze ${written.map(({ sql }) => sql).join(", ")}`);
    await record.end();
    return results;
  } catch (error) {
    throw orForbidden(error);
  }
}

/** One server's identity is its own, whatever name or address it is reached by. @throws Problem target_is_source */
function refuseItself(source: MigrationSource, target: MigrationTarget): void {
  if (target.database === source.database) throw problem("target_is_source");
}

/** @throws Problem target_not_empty */
export function refuseOccupied({ occupied }: Pick<MigrationPlan, "occupied">): void {
  if (occupied.length === 0) return;
  const listed = occupied.map(({ table, rows }) => `${table} (${rows})`).join(", ");
  throw problem("target_not_empty", {
    detail: `The target has rows that are not of this migration: ${listed}.`,
    extensions: { tables: occupied },
  });
}
