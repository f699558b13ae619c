import { displayWidth, fitLine, terminalLine } from "./terminal-text.ts";

const GAP = "  ";
const LEAST = 8;

/** One column: its heading, and whether it gives up width when the terminal is too narrow. */
export interface Column {
  readonly heading: string;
  readonly flexible?: boolean;
}

/**
 * Rows as aligned columns, a heading first. Cells are stripped of what a terminal obeys.
 *
 * @param width columns of the terminal; undefined: not a terminal, so nothing is cut
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string {
  const cells = [columns.map(({ heading }) => heading), ...rows.map((row) => row.map(terminalLine))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => displayWidth(row[index] ?? ""))));
  const total = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (columns.length - 1);
  let excess = width === undefined ? 0 : total - width;
  for (const [index, { flexible }] of columns.entries()) {
    if (flexible !== true || excess <= 0) continue;
    const own = widths[index] ?? 0;
    const cut = Math.min(excess, Math.max(0, own - LEAST));
    widths[index] = own - cut;
    excess -= cut;
  }
  return cells.map((row) => formatRow(row, widths)).join("\n");
}

function formatRow(row: readonly string[], widths: readonly number[]): string {
  return widths
    .map((width, index) => {
      const cell = fitLine(row[index] ?? "", width);
      return cell + " ".repeat(width - displayWidth(cell));
    })
    .join(GAP)
    .trimEnd();
}

/** Named values, one a line, the names aligned. Values of several lines are indented below their name. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...fields.map(([name]) => displayWidth(name)));
  return fields.map(([name, value]) => `${name.padEnd(width)}${GAP}${terminalLine(value)}`.trimEnd()).join("\n");
}
