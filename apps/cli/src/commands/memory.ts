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
import { cliProblem } from "../problems.ts";

const kind: ItemKind = {
  word: "memory",
  resource: "memory",
  title: "content",
  text: "content",
  columns: [
    { heading: "ID", member: "id" },
    { heading: "CONTENT", member: "content", flexible: true },
    { heading: "TEAM", member: "team", flexible: true },
    { heading: "CREATED", member: "created_at" },
  ],
};

interface MemoryFlags {
  readonly content?: string;
  readonly contentFile?: string;
  readonly key?: string;
  readonly team?: string;
  readonly property?: Record<string, unknown>;
}

/** `mosaic memory` */
export const define: Define = (group, run) => {
  examples(
    group,
    ['mosaic memory add "Ada prefers tea"', "something an agent should remember"],
    ["mosaic memory list --source all", "what is remembered, here and where you may read"],
  );

  const add = group
    .command("add [content]")
    .description("Add a memory, of your own or of a team")
    .option("--content-file <file>", "its text from a file; - is standard input")
    .option("--key <key>", "your own name for it, unique within its team")
    .option("--team <name>", "the team it belongs to, by name or id; personal when not given")
    .option("--property <name=value>", "anything else, any number of times", collectProperty)
    .action(
      run(async (invocation, content: string | undefined, flags: MemoryFlags) => {
        const { contentFile, property, ...members } = flags;
        const text = await longText(invocation.host, "content", content, contentFile);
        if (text === undefined) {
          throw cliProblem("usage_invalid", {
            detail: "The content is missing.",
            remedy: "Give it as a word in quotes, or with --content-file.",
          });
        }
        await createItem(invocation, kind, { ...members, content: text, properties: property });
      }),
    );
  examples(
    add,
    ['mosaic memory add "Ada prefers tea"', "a fact of your own"],
    ['mosaic memory add "Deploys are on Tuesdays" --team Platform', "a fact of a team"],
  );

  examples(
    addListCommand(group, run, kind),
    ["mosaic memory list", "the newest 50 you may see"],
    ["mosaic memory list --all --json | jq .row.content", "every one, one JSON object a line"],
  );

  examples(
    addGetCommand(group, run, kind),
    ["mosaic memory get 0198c0de-…", "by its id"],
    ["mosaic memory get tea --content", "its text alone, by its key"],
  );

  const edit = group
    .command("edit <id>")
    .description("Change a memory, by its id or its key")
    .option("--content <text>", "its new text")
    .option("--content-file <file>", "the same from a file; - is standard input")
    .option("--key <key>", "your own name for it")
    .option("--property <name=value>", "replaces all its properties with those given", collectProperty)
    .action(
      run(async (invocation, id: string, flags: MemoryFlags) => {
        const content = await longText(invocation.host, "content", flags.content, flags.contentFile);
        await editItem(invocation, kind, id, changesOf({ content, key: flags.key, properties: flags.property }));
      }),
    );
  examples(edit, ['mosaic memory edit 0198c0de-… --content "Ada prefers coffee now"', "another text"]);

  addRemoveCommand(group, run, kind);
};
