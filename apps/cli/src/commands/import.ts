import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import type { ExitName } from "../exit-codes.ts";
import { type RowDefaults, withDistinctKeys } from "../import/distinct-keys.ts";
import { type FileFormat, formatOf, openImportFile } from "../import/import-file.ts";
import { reportImport } from "../import/import-report.ts";
import { type NamedMembers, readJsonLines } from "../import/json-lines.ts";
import { understandNote } from "../import/note-records.ts";
import { type ImportRow, type Parsed, type RawRecord, understandEach } from "../import/parsed-row.ts";
import { type Person, understandPerson } from "../import/person-records.ts";
import { createProgress } from "../import/progress.ts";
import { type RowResult, runImport } from "../import/run-import.ts";
import { understandTask } from "../import/task-records.ts";
import type { Invocation } from "../invocation.ts";

const TIMEOUT_MS = 120_000;

interface ImportFlags {
  readonly dryRun?: true;
  readonly format?: FileFormat;
  readonly team?: string;
  readonly owner?: string;
  readonly emailDomain?: string;
}

interface Input<Row> {
  readonly rows: AsyncIterable<Parsed<Row>>;
  /** How much there is, in the unit of each row's `progress`. */
  readonly total: number | undefined;
}

async function readRecords(
  format: FileFormat,
  chunks: AsyncIterable<Uint8Array>,
): Promise<AsyncIterable<RawRecord<NamedMembers>>> {
  switch (format) {
    case "jsonl":
      return readJsonLines(chunks);
    case "csv":
      return (await import("../import/csv.ts")).readCsv(chunks);
    case "todo.txt":
      return (await import("../import/todo-txt.ts")).readTodoTxt(chunks);
  }
}

async function run<Row>(
  invocation: Invocation,
  what: string,
  { rows, total }: Input<Row>,
  body: (batch: readonly Row[]) => object,
  flags: ImportFlags,
): Promise<ExitName> {
  const { host, options } = invocation;
  const gateway = await invocation.gateway();
  const dryRun = flags.dryRun === true;
  const progress = await createProgress({ host, wanted: options.quiet !== true, total });
  const send = async (batch: readonly Row[]): Promise<readonly RowResult[]> => {
    const answer = await gateway.call<{ results: RowResult[] }>("POST", `/api/v1/import/${what}`, {
      body: { ...body(batch), dry_run: dryRun },
      timeoutMs: TIMEOUT_MS,
      patient: true,
      repeatable: true,
    });
    return answer.body.results;
  };
  return reportImport(invocation, { what, dryRun }, await runImport(rows, send, progress));
}

async function fileInput(
  invocation: Invocation,
  path: string,
  flags: ImportFlags,
  formats: readonly FileFormat[],
): Promise<{ readonly records: AsyncIterable<RawRecord<NamedMembers>>; readonly total: number | undefined }> {
  const format = formatOf(path, flags.format, formats);
  const { chunks, size } = await openImportFile(invocation.host, path);
  return { records: await readRecords(format, chunks), total: size };
}

const rowsBody = (rows: readonly ImportRow[]): object => ({ rows });

function defaultsOf({ team, owner }: ImportFlags): RowDefaults {
  return { team, owner };
}

async function noteInput(invocation: Invocation, path: string, flags: ImportFlags): Promise<Input<ImportRow>> {
  const { isFolder, findVault, readVault } = await import("../import/vault.ts");
  const { host, output } = invocation;
  const full = resolve(host.directory, path);
  if (path !== "-" && (await isFolder(full))) {
    const vault = await findVault(full);
    const { hidden, links, otherFiles } = vault.skipped;
    output.note(
      `${vault.files.length} Markdown files; passed over: ${hidden} hidden, ${links} links, ${otherFiles} other files.`,
    );
    return { rows: readVault(full, vault), total: vault.files.length };
  }
  const { records, total } = await fileInput(invocation, path, flags, ["jsonl"]);
  return { rows: understandEach(records, understandNote), total };
}

function addCommonOptions(command: Command, formats: readonly FileFormat[]): Command {
  return command
    .option("--dry-run", "say what would happen, and change nothing")
    .addOption(
      new Option("--format <format>", "what the file is written in, where its name does not say").choices(formats),
    );
}

function addRowOptions(command: Command): Command {
  return command
    .option("--team <name>", "the team of rows that name none")
    .option("--owner <user>", "the owner of rows that name none, by name or e-mail; for another than you: admins");
}

/** `mosaic import` */
export const define: Define = (group, bind) => {
  examples(
    group,
    ["mosaic import people people.jsonl --email-domain example.org", "users and their teams (admins)"],
    ["mosaic import tasks tasks.csv --team Platform", "JSON lines, CSV or todo.txt"],
    ["mosaic import notes ~/vault --dry-run", "what a folder of Markdown would bring"],
  );

  const people = addCommonOptions(group.command("people <file>"), ["jsonl", "csv"])
    .description("Bring in users and their teams, from JSON lines or CSV; - is standard input")
    .option("--email-domain <domain>", "gives those without an address one: name@domain")
    .action(
      bind(async (invocation, path: string, flags: ImportFlags): Promise<ExitName> => {
        const { records, total } = await fileInput(invocation, path, flags, ["jsonl", "csv"]);
        const rows = understandEach(records, understandPerson);
        const body = (batch: readonly Person[]): object => ({ people: batch, email_domain: flags.emailDomain });
        return await run(invocation, "people", { rows, total }, body, flags);
      }),
    );
  examples(
    people,
    ["mosaic import people people.jsonl --email-domain example.org", "one {name, email?, teams} a line"],
    ["mosaic import people people.csv --dry-run", "columns name, email, teams"],
  );

  const tasks = addRowOptions(addCommonOptions(group.command("tasks <file>"), ["jsonl", "csv", "todo.txt"]))
    .description("Bring in tasks, from JSON lines, CSV or todo.txt; - is standard input")
    .action(
      bind(async (invocation, path: string, flags: ImportFlags): Promise<ExitName> => {
        const { records, total } = await fileInput(invocation, path, flags, ["jsonl", "csv", "todo.txt"]);
        const rows = withDistinctKeys(understandEach(records, understandTask), defaultsOf(flags));
        return await run(invocation, "tasks", { rows, total }, rowsBody, flags);
      }),
    );
  examples(
    tasks,
    ["mosaic import tasks tasks.jsonl", "one object a line: title, status, due, key, team, owner, …"],
    ["mosaic import tasks tasks.csv --team Platform --dry-run", "the first line names the columns"],
    ["mosaic import tasks todo.txt", "todo.txt, with priorities, projects and due dates"],
  );

  const notes = addRowOptions(addCommonOptions(group.command("notes <folder>"), ["jsonl"]))
    .description("Bring in notes, from a folder of Markdown or a file of JSON lines; - is standard input")
    .action(
      bind(async (invocation, path: string, flags: ImportFlags): Promise<ExitName> => {
        const { rows, total } = await noteInput(invocation, path, flags);
        return await run(
          invocation,
          "notes",
          { rows: withDistinctKeys(rows, defaultsOf(flags)), total },
          rowsBody,
          flags,
        );
      }),
    );
  examples(
    notes,
    ["mosaic import notes ~/vault", "every .md below the folder, its path as its key"],
    ["mosaic import notes notes.jsonl", "one {key, title, team, owner, markdown} a line"],
  );
};
