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
import { changesOf, collectProperty, longText } from "../item-fields.ts";

const kind: ItemKind = {
  word: "note",
  resource: "notes",
  title: "title",
  text: "body",
  columns: [
    { heading: "ID", member: "id" },
    { heading: "TITLE", member: "title", flexible: true },
    { heading: "TEAM", member: "team", flexible: true },
    { heading: "UPDATED", member: "updated_at" },
  ],
};

interface NoteFlags {
  readonly title?: string;
  readonly body?: string;
  readonly bodyFile?: string;
  readonly key?: string;
  readonly team?: string;
  readonly property?: Record<string, unknown>;
}

/** `mosaic note` */
export const define: Define = (group, run) => {
  examples(
    group,
    ['mosaic note add "Trip" --body-file trip.md', "add a note from a file"],
    ["mosaic note list --source all", "your notes, and those of gateways you may read"],
    ["mosaic note get trip.md --body > trip.md", "its text alone, into a file"],
    ["mosaic import notes ~/vault", "bring in a folder of Markdown"],
  );

  const add = group
    .command("add <title>")
    .description("Add a note, of your own or of a team")
    .option("--body <text>", "its text, Markdown")
    .option("--body-file <file>", "the same from a file; - is standard input")
    .option("--key <key>", "your own name for it, such as a path; unique within its team")
    .option("--team <name>", "the team it belongs to, by name or id; personal when not given")
    .option("--property <name=value>", "anything else, any number of times", collectProperty)
    .action(
      run(async (invocation, title: string, flags: NoteFlags) => {
        const { bodyFile, body, property, ...members } = flags;
        const text = await longText(invocation.host, "body", body, bodyFile);
        await createItem(invocation, kind, { ...members, title, body: text, properties: property });
      }),
    );
  examples(
    add,
    ['mosaic note add "Idea" --body "Ask Ada about it."', "a short one"],
    ["pandoc page.html -t gfm | mosaic note add Page --body-file -", "its text from a pipe"],
  );

  examples(
    addListCommand(group, run, kind),
    ["mosaic note list", "the newest 50 you may see"],
    ["mosaic note list --team Platform", "a team's"],
    ["mosaic note list --source federated:work", "those of a gateway you may read"],
  );

  examples(
    addGetCommand(group, run, kind),
    ["mosaic note get 0198c0de-…", "by its id"],
    ["mosaic note get travel/trip.md --body", "its text alone, by its key"],
  );

  const edit = group
    .command("edit <id>")
    .description("Change a note, by its id or its key")
    .option("--title <title>", "its new title")
    .option("--body <text>", "its new text")
    .option("--body-file <file>", "the same from a file; - is standard input")
    .option("--key <key>", "your own name for it")
    .option("--property <name=value>", "replaces all its properties with those given", collectProperty)
    .action(
      run(async (invocation, id: string, flags: NoteFlags) => {
        const { title, key, property } = flags;
        const body = await longText(invocation.host, "body", flags.body, flags.bodyFile);
        await editItem(invocation, kind, id, changesOf({ title, key, body, properties: property }));
      }),
    );
  examples(
    edit,
    ["mosaic note edit 0198c0de-… --title Journey", "another title"],
    ["mosaic note edit travel/trip.md --body-file trip.md", "another text"],
  );

  addRemoveCommand(group, run, kind);
};
