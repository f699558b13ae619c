import type { Command } from "commander";
import { examples } from "./examples.ts";
import type { ExitName } from "./exit-codes.ts";
import type { Gateway, Query } from "./gateway.ts";
import type { Bind, Invocation } from "./invocation.ts";
import { addPagingOptions, addSourceOption, listResource, type PagingOptions, type RowColumn } from "./listing.ts";
import { exitOfSources, explainNotFound, reportSources } from "./sources.ts";
import { rowId, teamId } from "./references.ts";
import { type GetBody, type Row, shown, textOf } from "./rows.ts";
import { formatFields } from "./table.ts";

/** What the commands of a resource have in common, said once a resource. */
export interface ItemKind {
  /** The command's word: `task`. */
  readonly word: string;
  /** The resource's name in the API: `tasks`. */
  readonly resource: string;
  readonly columns: readonly RowColumn[];
  /** The member that names a row to a person. */
  readonly title: string;
  /** The member shown below the others, in full. */
  readonly text?: string;
}

interface ListOptions extends PagingOptions {
  readonly team?: string;
  readonly key?: string;
  readonly status?: string;
}

/** `--team` as the API's filter takes it: an id, or `personal`. */
async function teamFilter(gateway: Gateway, team: string | undefined, source: string): Promise<string | undefined> {
  return team === undefined || team === "personal" ? team : await teamId(gateway, team, source);
}

/** `list`: a page, or all pages, of one source or several. */
export function addListCommand(group: Command, run: Bind, kind: ItemKind): Command {
  const { word, resource, columns } = kind;
  const command = addPagingOptions(group.command("list"))
    .alias("ls")
    .description(`List ${resource}, newest first`)
    .option("--team <name>", "only this team's: its name or id, or personal")
    .option("--key <key>", "only the one with this key of yours");
  return command.action(
    run(async (invocation, options: ListOptions): Promise<ExitName> => {
      const gateway = await invocation.gateway();
      const filters: Query = {
        team: await teamFilter(gateway, options.team, options.source),
        key: options.key,
        status: options.status,
      };
      return await listResource(invocation, gateway, {
        resource,
        columns,
        options,
        filters,
        again: `mosaic ${word} list`,
      });
    }),
  );
}

/** `get`: one row in full. */
export function addGetCommand(group: Command, run: Bind, kind: ItemKind): Command {
  const { word, resource, text } = kind;
  const command = addSourceOption(group.command("get <id>")).description(`Show a ${word}, by its id or its key`);
  if (text !== undefined) command.option(`--${text}`, `print the ${text} alone, as it is`);
  return command.action(
    run(
      async (
        invocation,
        reference: string,
        options: { source: string } & Record<string, unknown>,
      ): Promise<ExitName> => {
        const { output } = invocation;
        const gateway = await invocation.gateway();
        const id = await rowId(gateway, resource, reference, options.source);
        const path = `/api/v1/${resource}/${id}`;
        const { body } = await gateway
          .call<GetBody>("GET", path, { query: { source: options.source } })
          .catch((error: unknown) => {
            throw explainNotFound(output, error);
          });
        if (text !== undefined && options[text] === true) output.raw(body, textOf(body.row, text));
        else showRow(invocation, kind, body.row, body);
        reportSources(output, body.sources);
        return exitOfSources(body.sources, body.partial);
      },
    ),
  );
}

/** A row: its members as fields, its long text below them. */
export function showRow({ output }: Invocation, { text }: ItemKind, row: Row, data: unknown = row): void {
  output.result(data, () => {
    const fields = Object.entries(row).filter(
      ([name, value]) => name !== text && value !== null && !isEmptyObject(value),
    );
    const long = text === undefined ? "" : textOf(row, text);
    const head = formatFields(fields.map(([name, value]) => [name === "_source" ? "source" : name, shown(value)]));
    return long === "" ? head : `${head}\n\n${long}`;
  });
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** `rm`: asks first, and with --dry-run only says what would go. */
export function addRemoveCommand(group: Command, run: Bind, kind: ItemKind): Command {
  const { word, resource, title } = kind;
  const command = group
    .command("rm <id...>")
    .description(`Delete ${resource}, by id or key`)
    .option("--dry-run", "only show what would be deleted");
  examples(
    command,
    [`mosaic ${word} rm 0198c0de-…`, "delete one, after asking"],
    [`mosaic ${word} rm KEY-1 KEY-2 --yes`, "delete two by their keys, without asking"],
  );
  return command.action(
    run(async (invocation, references: string[], options: { dryRun?: true }) => {
      const { output } = invocation;
      const gateway = await invocation.gateway();
      const rows: Row[] = [];
      for (const reference of references) {
        const id = await rowId(gateway, resource, reference);
        const { body } = await gateway.call<GetBody>("GET", `/api/v1/${resource}/${id}`);
        rows.push(body.row);
      }
      const listed = (): string => rows.map((row) => `${textOf(row, "id")}  ${shown(row[title])}`).join("\n");
      if (options.dryRun === true) {
        output.result({ dry_run: true, would_delete: rows }, listed);
        output.note("Nothing was deleted (--dry-run).");
        return;
      }
      const [first] = rows;
      const what = rows.length === 1 ? `${word} "${shown(first?.[title])}"` : `${rows.length} ${resource}`;
      await invocation.confirm(`Delete ${what}?`);
      for (const row of rows) await gateway.call("DELETE", `/api/v1/${resource}/${textOf(row, "id")}`);
      output.result({ deleted: rows.map((row) => row["id"]) }, listed);
      output.note(rows.length === 1 ? "Deleted." : `Deleted ${rows.length} ${resource}.`);
    }),
  );
}

/** Creates a row, shows its id, and says what to do next. */
export async function createItem(invocation: Invocation, kind: ItemKind, body: object): Promise<void> {
  const gateway = await invocation.gateway();
  const { team, ...members } = body as { team?: string };
  const team_id = team === undefined ? undefined : await teamId(gateway, team);
  const path = `/api/v1/${kind.resource}`;
  const { body: row } = await gateway.call<Row>("POST", path, { body: { ...members, team_id }, repeatable: true });
  invocation.output.result(row, () => textOf(row, "id"));
  invocation.output.note(`Added. See it with: mosaic ${kind.word} get ${textOf(row, "id")}`);
}

/** Changes a row and shows how it is now. */
export async function editItem(
  invocation: Invocation,
  kind: ItemKind,
  reference: string,
  changes: object,
): Promise<void> {
  const gateway = await invocation.gateway();
  const id = await rowId(gateway, kind.resource, reference);
  const { body: row } = await gateway.call<Row>("PATCH", `/api/v1/${kind.resource}/${id}`, { body: changes });
  showRow(invocation, kind, row);
  invocation.output.note("Changed.");
}
