import type { SourceReport } from "@mosaicstack/federation-protocol";
import { type Command, InvalidArgumentError } from "commander";
import type { ExitName } from "./exit-codes.ts";
import type { Gateway, Query } from "./gateway.ts";
import type { Invocation } from "./invocation.ts";
import { exitOfSources, reportSources } from "./sources.ts";
import { type ListBody, type Row, shown } from "./rows.ts";
import { type Column, formatTable } from "./table.ts";

/** A column of a list, and the member it shows. */
export interface RowColumn extends Column {
  readonly member: string;
}

/** The flags of every list. */
export interface PagingOptions {
  readonly source: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly all?: true;
}

/** Reads a flag's whole number from 1. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/u.test(text)) throw new InvalidArgumentError("It must be a whole number from 1.");
  return Number(text);
}

export function addSourceOption(command: Command): Command {
  return command.option("--source <source>", "where to read: local, all, or federated:<peer>", "local");
}

export function addPagingOptions(command: Command): Command {
  return addSourceOption(command)
    .option("--limit <rows>", "rows a page, at most 200", wholeNumber)
    .option("--cursor <cursor>", "go on where a page ended")
    .option("--all", "every page to the end; with --json one row a line");
}

interface ListRequest {
  readonly resource: string;
  readonly filters: Query;
  readonly columns: readonly RowColumn[];
  readonly options: PagingOptions;
  /** As typed, for the line that says how to go on: `mosaic task list`. */
  readonly again: string;
}

/** Lists a resource, a page or all of it, and says what is missing. */
export async function listResource(invocation: Invocation, gateway: Gateway, request: ListRequest): Promise<ExitName> {
  return request.options.all === true
    ? await listEverything(invocation, gateway, request)
    : await listPage(invocation, gateway, request);
}

function query({ filters, options }: ListRequest, cursor: string | undefined): Query {
  return { ...filters, source: options.source, limit: options.limit, cursor };
}

/** A blended list says where each row came from. */
function columnsFor({ columns, options }: ListRequest): readonly RowColumn[] {
  return options.source === "local" ? columns : [{ heading: "SOURCE", member: "_source" }, ...columns];
}

function rowsTable(columns: readonly RowColumn[], rows: readonly Row[], width: number | undefined): string {
  return formatTable(
    columns,
    rows.map((row) => columns.map(({ member }) => shown(row[member]))),
    width,
  );
}

async function listPage({ output }: Invocation, gateway: Gateway, request: ListRequest): Promise<ExitName> {
  const { resource, options, again } = request;
  const { body } = await gateway.call<ListBody>("GET", `/api/v1/${resource}`, {
    query: query(request, options.cursor),
  });
  output.result(body, () => (body.rows.length === 0 ? "" : rowsTable(columnsFor(request), body.rows, output.width)));
  reportSources(output, body.sources);
  const source = options.source === "local" ? "" : ` --source ${options.source}`;
  const exit = exitOfSources(body.sources, body.partial);
  if (body.rows.length === 0 && exit === "ok") output.note(`No ${resource}.`);
  if (body.limit_clamped === true) output.note(`A page has at most ${body.limit} rows; --all reads every page.`);
  if (body.next_cursor !== null) output.note(`More: ${again}${source} --cursor ${body.next_cursor}`);
  else if (body.retry_cursor !== undefined)
    output.note(`What is missing: ${again}${source} --cursor ${body.retry_cursor}`);
  return exit;
}

async function listEverything({ output }: Invocation, gateway: Gateway, request: ListRequest): Promise<ExitName> {
  const { resource, options, again } = request;
  const kept: Row[] = [];
  const latest = new Map<string, SourceReport>();
  let count = 0;
  let cursor = options.cursor;
  let last: ListBody | undefined;
  do {
    const asked = query(request, cursor);
    const { body } = await gateway.call<ListBody>("GET", `/api/v1/${resource}`, {
      query: { ...asked, limit: options.limit ?? 200 },
      patient: true,
    });
    count += body.rows.length;
    if (output.json) for (const row of body.rows) output.line({ row });
    else kept.push(...body.rows);
    for (const report of body.sources) {
      // A peer that is gone and one that was added under its name are two.
      const key = report.status === "gone" ? `${report.source} (gone)` : report.source;
      latest.set(key, joined(latest.get(key), report));
    }
    last = body;
    cursor = body.next_cursor ?? undefined;
  } while (cursor !== undefined);

  const sources = [...latest.values()];
  const partial = sources.some(({ error }) => error !== undefined) || last.partial;
  const retry = last.retry_cursor;
  if (output.json) {
    output.line({ end: { rows: count, partial, ...(retry === undefined ? {} : { retry_cursor: retry }), sources } });
  } else if (kept.length > 0) {
    output.result(kept, () => rowsTable(columnsFor(request), kept, output.width));
  }
  reportSources(output, sources);
  if (count > 0 || !partial) output.note(count === 0 ? `No ${resource}.` : `${count} ${count === 1 ? "row" : "rows"}.`);
  if (retry !== undefined) output.note(`What is missing: ${again} --source ${options.source} --all --cursor ${retry}`);
  return count === 0 || !partial ? exitOfSources(sources, partial) : "partial";
}

/**
 * What a source did over all the pages. Its last page says how it ended: a source that failed keeps its place and is
 * asked again with every page that follows, so what it owed meanwhile has come by then.
 */
function joined(before: SourceReport | undefined, now: SourceReport): SourceReport {
  if (before === undefined) return now;
  return { ...now, took_ms: before.took_ms + now.took_ms, rows: before.rows + now.rows };
}
