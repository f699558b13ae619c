import type { SourceReport } from "@mosaicstack/federation-protocol";
import type { Host } from "../host.ts";
import type { Output } from "../output.ts";
import { type ListBody, shown } from "../rows.ts";
import { formatTable } from "../table.ts";
import { terminalLine } from "../terminal-text.ts";

/** The demo's own words, on standard output; nothing of them with --json. */
export interface Narration {
  /** Something that takes a moment, on standard error; left out with --quiet. */
  progress(text: string): void;
  /** The next step's heading, numbered. */
  step(heading: string): void;
  /** Plain text, indented below a heading. */
  say(text: string): void;
  /** A command as it is typed, and whose gateway it is typed for. */
  command(who: string, line: string): void;
  /** A list of tasks as a table, and how each source took part. */
  tasks(body: ListBody): void;
}

const INDENT = "   ";

export function createNarration(host: Host, output: Output, quiet: boolean): Narration {
  let steps = 0;
  const write = (text: string): void => {
    if (!output.json) host.stdout.write(`${text}\n`);
  };
  const indented = (text: string): string => text.replace(/^(?=.)/gmu, INDENT);
  return {
    progress(text) {
      if (!quiet) host.stderr.write(`${output.paint("dim", `… ${terminalLine(text)}`, "stderr")}\n`);
    },
    step(heading) {
      steps += 1;
      write(`\n${output.paint("bold", `${steps}  ${heading}`)}`);
    },
    say(text) {
      write(indented(text));
    },
    command(who, line) {
      write(indented(`${output.paint("dim", `${who} $`)} ${line}`));
    },
    tasks(body) {
      const width = output.width === undefined ? undefined : output.width - INDENT.length;
      write(indented(`${taskTable(body, width)}\n${sourcesLine(body.sources)}${body.partial ? " · partial" : ""}`));
    },
  };
}

function taskTable({ rows }: ListBody, width: number | undefined): string {
  const columns = [
    { heading: "SOURCE", member: "_source" },
    { heading: "STATUS", member: "status" },
    { heading: "TITLE", member: "title", flexible: true },
    { heading: "DUE", member: "due_at" },
    { heading: "TEAM", member: "team" },
  ];
  const cells = rows.map((row) => columns.map(({ member }) => shown(row[member])));
  return formatTable(columns, cells, width);
}

/** Each source, how it went, and how long it took: `local ok 4 ms, 6 rows`. */
export function sourcesLine(sources: readonly SourceReport[]): string {
  const each = sources.map(({ source, status, took_ms: took, rows, error }) => {
    const outcome = error === undefined ? `${rows} ${rows === 1 ? "row" : "rows"}` : error.code;
    return terminalLine(`${source} ${status} ${Math.round(took)} ms, ${outcome}`);
  });
  return `sources: ${each.join(" · ")}`;
}
