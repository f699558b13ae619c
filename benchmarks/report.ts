import type { BootFigures } from "./boot.ts";
import type { LoadFigures } from "./figures.ts";
import type { MigrationFigures } from "./migration.ts";

/** Everything one run measured; what `--json` prints. */
export interface Report {
  readonly node: string;
  readonly engine: string;
  readonly launchedFrom: string;
  readonly rounds: number;
  readonly roundMs: number;
  readonly rowsPerList: number;
  readonly bytesPerList: number;
  readonly load: readonly LoadFigures[];
  readonly boots: readonly BootFigures[];
  /** Resident memory in bytes; null where the system does not tell. */
  readonly memory: readonly {
    readonly process: string;
    readonly idle: number | null;
    readonly afterLoad: number | null;
  }[];
  /** Only with PostgreSQL. */
  readonly migration?: MigrationFigures;
  readonly aims: readonly Aim[];
}

/** What issue or documentation asks of a figure. It is reported, and never fails a run. */
export interface Aim {
  readonly name: string;
  readonly aim: string;
  readonly measured: string;
  readonly reached: boolean;
}

export const FLOOR = "floor: bare node:https, mTLS";
const MEGABYTE = 1024 * 1024;

/** Lines up columns: the first to the left, figures to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
    )
    .map((cells) => `  ${cells.join("  ").trimEnd()}`)
    .join("\n");
}

const ms = (value: number): string => value.toFixed(2);
/** Null, or no number: the system does not tell. */
export const megabytes = (bytes: number | null): string =>
  bytes === null || Number.isNaN(bytes) ? "unknown" : `${Math.round(bytes / MEGABYTE)} MB`;

/** What was asked of each figure, and whether it was reached. */
export function aimsTable(aims: readonly Aim[]): string {
  const rows = aims.map((aim) => [aim.name, aim.aim, aim.measured, aim.reached ? "reached" : "missed"]);
  return table([["", "aim", "measured", ""], ...rows]);
}

function loadTable(figures: readonly LoadFigures[]): string {
  const header = ["", "requests/s", "p50 ms", "p95 ms", "p99 ms", "throughput / floor", "p50 / floor"];
  const rows = figures.map(({ name, requestsPerSecond, p50Ms, p95Ms, p99Ms, ratio }) => [
    name,
    requestsPerSecond.toFixed(0),
    ms(p50Ms),
    ms(p95Ms),
    ms(p99Ms),
    name === FLOOR ? "1" : ratio.throughput.toFixed(2),
    name === FLOOR ? "1" : ratio.p50.toFixed(2),
  ]);
  return table([header, ...rows]);
}

function migrationTable({
  rows,
  bytes,
  floorRowsPerSecond,
  rowsPerSecond,
  ratio,
  growthBytes,
}: MigrationFigures): string {
  const size = `${rows} rows, ${megabytes(bytes)} of COPY text`;
  return table([
    ["", "rows/s", "/ floor", "memory grew by"],
    [`floor: COPY FROM STDIN (${size})`, floorRowsPerSecond.toFixed(0), "1", ""],
    ["embedded to PostgreSQL, compared", rowsPerSecond.toFixed(0), ratio.toFixed(2), megabytes(growthBytes)],
  ]);
}

/** What is printed for people. */
export function reportText(report: Report): string {
  const { node, engine, rounds, roundMs, rowsPerList, bytesPerList, load, boots, memory, aims } = report;
  const kilobytes = (bytesPerList / 1000).toFixed(1);
  const sections = [
    `Node ${node}, ${engine}; gateways started from ${report.launchedFrom}.`,
    `Lists of ${rowsPerList} tasks (${kilobytes} kB); medians of ${rounds} rounds of ${roundMs / 1000} s, floor and candidate in turn.`,
  ];
  for (const connections of new Set(load.map((figures) => figures.connections))) {
    const these = load.filter((figures) => figures.connections === connections);
    sections.push(`\n${connections} connection${connections === 1 ? "" : "s"}\n${loadTable(these)}`);
  }
  const bootRows = boots.map(({ name, coldMs, warmMs, idleBytes }) => [
    name,
    `${coldMs.toFixed(0)} ms`,
    `${warmMs.toFixed(0)} ms`,
    megabytes(Number.isNaN(idleBytes) ? null : idleBytes),
  ]);
  if (bootRows.length > 0) {
    sections.push(`\nBoot to ready\n${table([["", "cold", "warm", "idle memory"], ...bootRows])}`);
  }
  const memoryRows = memory.map(({ process, idle, afterLoad }) => [process, megabytes(idle), megabytes(afterLoad)]);
  sections.push(`\nResident memory\n${table([["", "idle", "after load"], ...memoryRows])}`);
  if (report.migration !== undefined) sections.push(`\nmigrate-tier\n${migrationTable(report.migration)}`);
  sections.push(`\nAims\n${aimsTable(aims)}`);
  return `${sections.join("\n")}\n`;
}
