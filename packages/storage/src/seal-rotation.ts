import { sql } from "drizzle-orm";
import { problem } from "./problems.ts";
import { type SealedColumn, sealedColumns } from "./sealed-columns.ts";
import type { Sealer } from "./sealing.ts";
import type { Database, Store } from "./store.ts";

const BATCH_ROWS = 500;
/** As many ids of values that don't open are named, a column. */
const NAMED_IDS = 10;

/** What became, or would become, of a sealed column. */
export interface RotatedColumn {
  readonly table: string;
  readonly column: string;
  /** Values sealed with the old key. */
  readonly values: number;
  /** Values that were sealed with the new key already, and open with it. */
  readonly already: number;
}

export interface Rotation {
  readonly columns: readonly RotatedColumn[];
  /** Idempotency keys that are removed: what is remembered of their requests is sealed with the old key. */
  readonly idempotencyKeys: number;
}

export interface RotationOptions {
  readonly store: Store;
  readonly from: Sealer;
  /** Absent: only to look. Every value is opened, and nothing is written. */
  readonly to?: Sealer;
  /** Stops it between two batches; nothing is changed then. */
  readonly signal?: AbortSignal;
  /** Hears of values sealed so far. */
  readonly onProgress?: (values: number) => void;
  /** Runs after everything was sealed anew and before that holds: the last moment to put the new key where it stays. */
  readonly beforeCommit?: () => Promise<void>;
}

/** A value that the old key does not open. */
interface Unopened {
  readonly table: string;
  readonly column: string;
  readonly count: number;
  readonly ids: readonly string[];
}

/**
 * Opens every sealed value with the old key and seals it with the new one, in one transaction: whatever ends it, all values are the
 * old key's or all are the new one's. The gateway must not run: what it sealed meanwhile would be the old key's. On PostgreSQL its
 * tables are locked first, so that a gateway that starts meanwhile waits, and finds at its start that its key is another.
 *
 * @throws Problem `seal_values_unopened` with `values[] {table, column, count, ids[]}`, `source_in_use`; nothing is changed then
 */
export async function rotateSeal(options: RotationOptions): Promise<Rotation> {
  const { store, beforeCommit = () => Promise.resolve() } = options;
  return await store.transaction(async (db) => {
    if (options.to === undefined) await db.execute("set transaction read only");
    if (store.engine === "postgres") await holdAlone(db, options.to !== undefined);
    const columns: RotatedColumn[] = [];
    const unopened: Unopened[] = [];
    const progress = { values: 0 };
    const onSealed = (values: number): void => {
      progress.values += values;
      options.onProgress?.(progress.values);
    };
    for (const column of sealedColumns) {
      const outcome = await rotateColumn(db, column, options, onSealed);
      const { table, column: name } = column;
      columns.push({ table, column: name, values: outcome.values, already: outcome.already });
      if (outcome.ids.length > 0) {
        const count = outcome.ids.length;
        unopened.push({ table, column: name, count, ids: outcome.ids.slice(0, NAMED_IDS) });
      }
    }
    if (unopened.length > 0) throw unopenedProblem(unopened);
    const idempotencyKeys = await forgetRequests(db, options);
    await beforeCommit();
    return { columns, idempotencyKeys };
  });
}

/** A session that ends is listed for a moment more. */
const LINGER_MS = 2_000;

/** @throws Problem `source_in_use` */
async function holdAlone(db: Database, isWriting: boolean): Promise<void> {
  if (isWriting) {
    const tables = [...new Set(sealedColumns.map(({ table }) => table)), "idempotency_keys"];
    await db.execute(`lock table ${tables.join(", ")} in access exclusive mode`);
  }
  const deadline = performance.now() + LINGER_MS;
  for (;;) {
    // Otherwise a transaction sees the sessions there were when it first looked.
    await db.execute("select pg_stat_clear_snapshot()");
    const [row] = await rowsOf<{ sessions: number }>(
      db,
      sql`select count(*)::int4 as sessions from pg_stat_activity
          where datname = current_database() and application_name = 'mosaic' and pid <> pg_backend_pid()`,
    );
    if (row?.sessions === 0) return;
    if (performance.now() > deadline) {
      throw problem("source_in_use", {
        detail: `A gateway has ${row?.sessions ?? 0} connections to this database.`,
        remedy: "Stop the gateway, every replica of it, then run the command again.",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface ColumnOutcome {
  readonly values: number;
  readonly already: number;
  /** Of rows whose value does not open. */
  readonly ids: readonly string[];
}

async function rotateColumn(
  db: Database,
  { table, column }: SealedColumn,
  { from, to, signal }: RotationOptions,
  onSealed: (values: number) => void,
): Promise<ColumnOutcome> {
  const [tableSql, columnSql] = [sql.raw(table), sql.raw(column)];
  let [values, already, after] = [0, 0, "00000000-0000-0000-0000-000000000000"];
  const ids: string[] = [];
  for (;;) {
    signal?.throwIfAborted();
    const rows = await rowsOf<{ id: string; sealed: string }>(
      db,
      sql`select id::text as id, ${columnSql} as sealed from ${tableSql}
          where ${columnSql} is not null and id > ${after}::uuid order by ${tableSql}.id limit ${BATCH_ROWS}`,
    );
    const last = rows.at(-1);
    if (last === undefined) return { values, already, ids };
    after = last.id;
    const changed: { id: string; sealed: string }[] = [];
    for (const { id, sealed } of rows) {
      const binding = { table, column, rowId: id };
      const text = opened(from, sealed, binding);
      if (text !== undefined) changed.push({ id, sealed: to?.seal(text, binding) ?? "" });
      // As after a rotation that is run once more.
      else if (to !== undefined && opened(to, sealed, binding) !== undefined) already += 1;
      else ids.push(id);
    }
    values += changed.length;
    if (to !== undefined && changed.length > 0) {
      await db.execute(
        sql`update ${tableSql} as target set ${columnSql} = anew.sealed
            from json_to_recordset(${JSON.stringify(changed)}::json) as anew(id uuid, sealed text)
            where target.id = anew.id`,
      );
    }
    onSealed(changed.length);
  }
}

/** Undefined: it does not open. */
function opened(sealer: Sealer, sealed: string, binding: Parameters<Sealer["open"]>[1]): string | undefined {
  try {
    return sealer.open(sealed, binding);
  } catch {
    return undefined;
  }
}

/** The request of an idempotency key is remembered sealed, and can't be compared any more once the gateway has another key. */
async function forgetRequests(db: Database, { to }: RotationOptions): Promise<number> {
  if (to === undefined) {
    const [row] = await rowsOf<{ count: number }>(db, sql`select count(*)::int4 as count from idempotency_keys`);
    return row?.count ?? 0;
  }
  const removed = await rowsOf(
    db,
    sql`delete from idempotency_keys where split_part(request_hash, '.', 2) <> ${to.keyId} returning 1 as one`,
  );
  return removed.length;
}

async function rowsOf<Row extends object>(db: Database, statement: ReturnType<typeof sql>): Promise<readonly Row[]> {
  const answer = await db.execute(statement);
  // Both engines answer so; drizzle's type for the two does not say it.
  return (answer as { rows: Row[] }).rows;
}

function unopenedProblem(values: readonly Unopened[]): Error {
  const named = values.map(({ table, column, count, ids }) => {
    const more = count > ids.length ? ", …" : "";
    return `${table}.${column}: ${count} (${ids.join(", ")}${more})`;
  });
  return problem("seal_values_unopened", {
    detail: `Sealed values do not open with the key this gateway has: ${named.join("; ")}. Nothing was changed.`,
    extensions: { values },
  });
}
