import { Option } from "commander";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import {
  addGetCommand,
  addListCommand,
  addRemoveCommand,
  createItem,
  editItem,
  type ItemKind,
} from "../item-commands.ts";
import { changesOf, collectProperty, longText, readDue } from "../item-fields.ts";
import { rowId } from "../references.ts";
import { type Row, textOf } from "../rows.ts";

const STATUSES = ["open", "in_progress", "done", "cancelled"] as const;

const kind: ItemKind = {
  word: "task",
  resource: "tasks",
  title: "title",
  text: "description",
  columns: [
    { heading: "ID", member: "id" },
    { heading: "STATUS", member: "status" },
    { heading: "TITLE", member: "title", flexible: true },
    { heading: "DUE", member: "due_at" },
    { heading: "TEAM", member: "team", flexible: true },
  ],
};

interface TaskFlags {
  readonly title?: string;
  readonly description?: string;
  readonly descriptionFile?: string;
  readonly status?: string;
  readonly due?: string;
  readonly key?: string;
  readonly team?: string;
  readonly property?: Record<string, unknown>;
}

const statusOption = (text: string): Option => new Option("--status <status>", text).choices(STATUSES);

/** `mosaic task` */
export const define: Define = (group, run) => {
  examples(
    group,
    ['mosaic task add "Buy milk" --due 2026-12-03', "add a task"],
    ["mosaic task list --status open", "what is left to do"],
    ["mosaic task list --source all", "the same, with the gateways you may read"],
    ["mosaic task done 0198c0de-…", "it is done"],
  );

  const add = group
    .command("add <title>")
    .description("Add a task, of your own or of a team")
    .option("--description <text>", "more about it, Markdown")
    .option("--description-file <file>", "the same from a file; - is standard input")
    .addOption(statusOption("where it stands; open when not given"))
    .option("--due <date>", "a day or an instant: 2026-12-03, 2026-12-03T17:00:00Z")
    .option("--key <key>", "your own name for it, unique within its team")
    .option("--team <name>", "the team it belongs to, by name or id; personal when not given")
    .option("--property <name=value>", "anything else, any number of times", collectProperty)
    .action(
      run(async (invocation, title: string, flags: TaskFlags) => {
        const { descriptionFile, due, property, description, ...members } = flags;
        await createItem(invocation, kind, {
          ...members,
          title,
          description: await longText(invocation.host, "description", description, descriptionFile),
          due_at: readDue(due),
          properties: property,
        });
      }),
    );
  examples(
    add,
    ['mosaic task add "Buy milk"', "a task of your own"],
    ['mosaic task add "Ship it" --team Platform --due 2026-12-03', "a task of a team"],
    ["git log -1 --format=%b | mosaic task add Review --description-file -", "its description from a pipe"],
  );

  examples(
    addListCommand(group, run, kind).addOption(statusOption("only those with this status")),
    ["mosaic task list", "the newest 50 you may see"],
    ["mosaic task list --team Platform --status open", "a team's open ones"],
    ["mosaic task list --source federated:work", "those of a gateway you may read"],
    ["mosaic task list --all --json | jq .row.title", "every one, one JSON object a line"],
  );

  examples(
    addGetCommand(group, run, kind),
    ["mosaic task get 0198c0de-…", "by its id"],
    ["mosaic task get KEP-1 --source federated:work", "by its key, from another gateway"],
  );

  const edit = group
    .command("edit <id>")
    .description("Change a task, by its id or its key")
    .option("--title <title>", "its new title")
    .option("--description <text>", "its new description")
    .option("--description-file <file>", "the same from a file; - is standard input")
    .addOption(statusOption("where it stands now"))
    .option("--due <date>", "a day or an instant; none takes it away")
    .option("--key <key>", "your own name for it")
    .option("--property <name=value>", "replaces all its properties with those given", collectProperty)
    .action(
      run(async (invocation, id: string, flags: TaskFlags) => {
        const { title, status, key, due, property } = flags;
        const description = await longText(invocation.host, "description", flags.description, flags.descriptionFile);
        const changes = changesOf({ title, status, key, description, due_at: readDue(due), properties: property });
        await editItem(invocation, kind, id, changes);
      }),
    );
  examples(
    edit,
    ["mosaic task edit 0198c0de-… --status in_progress", "start it"],
    ["mosaic task edit KEP-1 --due none", "it is due no more"],
  );

  const done = group
    .command("done <id...>")
    .description("Mark tasks as done, by id or key")
    .action(
      run(async (invocation, references: string[]) => {
        const gateway = await invocation.gateway();
        const rows: Row[] = [];
        for (const reference of references) {
          const id = await rowId(gateway, kind.resource, reference);
          const { body } = await gateway.call<Row>("PATCH", `/api/v1/tasks/${id}`, { body: { status: "done" } });
          rows.push(body);
        }
        invocation.output.result(rows, () =>
          rows.map((row) => `${textOf(row, "id")}  ${textOf(row, "title")}`).join("\n"),
        );
        invocation.output.note(rows.length === 1 ? "Done." : `${rows.length} done.`);
      }),
    );
  examples(done, ["mosaic task done 0198c0de-…", "by its id"], ["mosaic task done KEP-1 KEP-2", "two by their keys"]);

  addRemoveCommand(group, run, kind);
};
