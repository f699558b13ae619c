import { pipeline } from "node:stream/promises";
import { from } from "pg-copy-streams";
import { constraintViolation } from "../database-faults.ts";
import { problem } from "../problems.ts";
import type { MigrationSource } from "./migration-source.ts";
import type { MigrationTarget } from "./migration-target.ts";
import { digestOf, type DigestRow, digestSql, rowText, sameDigest, type TableDigest } from "./table-digest.ts";
import type { TablePlan } from "./table-plan.ts";

/** What became of one table. */
export interface TableResult {
  readonly table: string;
  /** Of the source; each of them is in the target now. */
  readonly rows: number;
  /** Rows this run wrote. */
  readonly copied: number;
  /** Rows of the source that were there before, the same. */
  readonly alreadyThere: number;
  /** Of the source's rows, the same on both sides. */
  readonly checksum: string;
}

/** {@link TableResult}, and the whole table in the target, which may hold more. */
interface Copied {
  readonly result: TableResult;
  readonly inTarget: TableDigest;
}

interface Ends {
  readonly source: MigrationSource;
  readonly target: MigrationTarget;
  /** Hears how many rows have been sent since it was last called. */
  readonly onRows: (rows: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Brings one table's rows over and compares both sides, within a transaction of the target's that is already open.
 * @throws Problem migration_differs, target_conflict
 */
export async function copyTable(table: TablePlan, ends: Ends): Promise<Copied> {
  const { source, target } = ends;
  const { run } = target.connection;
  // Nobody else writes to it until the comparison is done; reading is free.
  await run(`lock table ${table.sql} in share row exclusive mode`);
  const [found] = await run<{ empty: boolean }>(`select not exists (select from ${table.sql}) as empty`);
  if (found?.empty === true) {
    await send(table, table.sql, ends);
    // The server is asked first: it works while the source does.
    const [inTarget, inSource] = await Promise.all([target.digest(table), source.digest(table)]);
    refuseDifference(table, inSource, inTarget);
    return { result: resultOf(table, inSource, inSource.rows), inTarget };
  }
  const [before, inSource] = await Promise.all([target.digest(table), source.digest(table)]);
  if (sameDigest(before, inSource)) return { result: resultOf(table, inSource, 0), inTarget: before };
  const copied = await merge(table, inSource, ends);
  return { result: resultOf(table, inSource, copied), inTarget: await target.digest(table) };
}

function resultOf(table: TablePlan, { rows, checksum }: TableDigest, copied: number): TableResult {
  return { table: table.name, rows, copied, alreadyThere: rows - copied, checksum };
}

function refuseDifference(table: TablePlan, inSource: TableDigest, inTarget: TableDigest): void {
  if (sameDigest(inSource, inTarget)) return;
  throw problem("migration_differs", {
    detail:
      inSource.rows === inTarget.rows
        ? `The table ${table.name} has ${inSource.rows} rows on both sides, and not the same ones.`
        : `The table ${table.name} has ${inSource.rows} rows in the source and ${inTarget.rows} in the target.`,
    extensions: { tables: [{ table: table.name, source: inSource, target: inTarget }] },
  });
}

/** Adds the rows that aren't there. What is there under the same key has to be the same. */
async function merge(table: TablePlan, inSource: TableDigest, ends: Ends): Promise<number> {
  const { run } = ends.target.connection;
  const key = table.key.map(({ name }) => name).join(", ");
  await run(
    `create temporary table incoming on commit drop as select ${table.columns.join(", ")} from ${table.sql} with no data`,
  );
  await send(table, "incoming", ends);
  await run(`create unique index on incoming (${key}); analyze incoming`);
  const [found] = await run<{ different: string }>(
    `select count(*)::text as different from incoming join ${table.sql} as there using (${key})
     where ${rowText(table, "incoming")} <> ${rowText(table, "there")}`,
  );
  const different = Number(found?.different ?? 0);
  if (different > 0) {
    throw conflict(table, `The target's table ${table.name} has ${different} rows under the same key that differ.`);
  }
  const columns = table.columns.join(", ");
  const [written] = await run<{ rows: string }>(
    `with written as (
       insert into ${table.sql} (${columns}) select ${columns} from incoming on conflict (${key}) do nothing returning 1
     ) select count(*)::text as rows from written`,
  ).catch((error: unknown) => {
    const broken = constraintViolation(error);
    if (broken === undefined) throw error;
    throw conflict(
      table,
      `A row of the target's table ${table.name} is in the way of one with another key (${broken.name}).`,
    );
  });
  const [merged] = await run<DigestRow>(digestSql(table, `(${key}) in (select ${key} from incoming)`));
  refuseDifference(table, inSource, digestOf(merged));
  if (table.atMostOne && (await ends.target.count(table)) > 1) {
    throw conflict(table, `The target's table ${table.name} has a row of another gateway, and there can be only one.`);
  }
  await run("drop table incoming");
  return Number(written?.rows ?? 0);
}

function conflict(table: TablePlan, detail: string): Error {
  return problem("target_conflict", { detail, extensions: { table: table.name } });
}

/** Streams the source's COPY text into a table: it waits wherever the target is the slower one. */
async function send(table: TablePlan, into: string, { source, target, onRows, signal }: Ends): Promise<void> {
  const { client, guard } = target.connection;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of source.read(table)) {
      signal.throwIfAborted();
      onRows(lineEnds(chunk));
      yield chunk;
    }
  };
  await guard(pipeline(counted(), client.query(from(`copy ${into} (${table.columns.join(", ")}) from stdin`))));
}

const LINE_END = 0x0a;

/** In COPY text a row is a line, and a line end within a value is written as `\n`. */
function lineEnds(text: Buffer): number {
  let found = 0;
  for (let at = text.indexOf(LINE_END); at !== -1; at = text.indexOf(LINE_END, at + 1)) found += 1;
  return found;
}
