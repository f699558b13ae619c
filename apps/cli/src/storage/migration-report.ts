import type { MigrationPlan, TableResult } from "@mosaicstack/storage";
import type { Output } from "../output.ts";
import { formatTable } from "../table.ts";

/** Where from and where to, as it is shown. */
export interface Ends {
  readonly from: string;
  /** Absent: a look at the source alone. */
  readonly to: { readonly host: string; readonly port: number; readonly database: string } | undefined;
}

/** What `--dry-run` prints. */
export function reportPlan(output: Output, { from, to }: Ends, plan: MigrationPlan): void {
  const { tables, skipped, rows, occupied, finished } = plan;
  output.result({ dry_run: true, source: from, target: to ?? null, tables, skipped, rows, occupied, finished }, () =>
    formatTable(
      [{ heading: "TABLE" }, { heading: "ROWS" }, { heading: "WOULD BE", flexible: true }],
      [
        ...tables.map(({ table, rows: count }) => [table, String(count), wouldBe(plan, table)]),
        ...skipped.map(({ table, rows: count, reason }) => [table, String(count), `skipped: ${reason}`]),
      ],
      output.width,
    ),
  );
  if (occupied.length > 0) {
    const names = occupied.map(({ table, rows: count }) => `${table} (${count})`).join(", ");
    output.warn(`the target is not empty: ${names}. Without --allow-non-empty the migration is refused.`);
  }
  output.note(`Nothing was written (--dry-run). It would copy ${rows} rows from ${from} ${toWords(to)}.`);
}

function wouldBe({ finished, occupied }: MigrationPlan, table: string): string {
  if (finished.some((each) => each.table === table)) return "compared: an earlier run has copied it";
  if (occupied.some((each) => each.table === table)) return "compared and added to, with --allow-non-empty";
  return "copied";
}

function toWords(to: Ends["to"]): string {
  return to === undefined
    ? "to the target that --target-url names"
    : `to the database ${to.database} on ${to.host}:${to.port}`;
}

/** The question before anything is written. */
export function migrationQuestion({ from, to }: Ends, { rows }: MigrationPlan): string {
  return `Copy ${rows} rows from ${from} ${toWords(to)}?`;
}

/** What a finished migration prints. */
export function reportResults(
  output: Output,
  { from, to }: Ends,
  { results, skipped, tookMs, next }: ReportedResults,
): void {
  const copied = results.reduce((sum, each) => sum + each.copied, 0);
  const rows = results.reduce((sum, each) => sum + each.rows, 0);
  const tables = results.map(({ table, rows: count, copied: written, alreadyThere, checksum }) => ({
    table,
    rows: count,
    copied: written,
    already_there: alreadyThere,
    checksum,
  }));
  output.result(
    {
      dry_run: false,
      source: from,
      target: to ?? null,
      tables,
      skipped,
      rows,
      copied,
      took_ms: Math.round(tookMs),
      next,
    },
    () =>
      formatTable(
        [{ heading: "TABLE" }, { heading: "ROWS" }, { heading: "COPIED" }, { heading: "COMPARED", flexible: true }],
        [
          ...tables.map(({ table, rows: count, copied: written }) => [
            table,
            String(count),
            String(written),
            "the same",
          ]),
          ...skipped.map(({ table, rows: count, reason }) => [table, String(count), "-", `skipped: ${reason}`]),
        ],
        output.width,
      ),
  );
  const seconds = Math.max(tookMs, 1) / 1000;
  output.note(
    copied === 0
      ? `Everything was there: ${rows} rows compared, the same on both sides.`
      : `${copied} rows copied in ${seconds.toFixed(1)} s, ${rows} compared: counts and checksums are the same on both sides.`,
  );
}

interface ReportedResults {
  readonly results: readonly TableResult[];
  readonly skipped: MigrationPlan["skipped"];
  readonly tookMs: number;
  readonly next: object;
}
