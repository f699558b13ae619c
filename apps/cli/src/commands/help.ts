import { cliProblem } from "../problems.ts";
import { examples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Define } from "../command-groups.ts";
import { JSON_VERSION } from "../output.ts";
import type { Command } from "commander";

const EXIT_CODES = `Exit codes of every command:

${Object.values(exitCodes)
  .map(({ status, meaning }) => `  ${String(status).padStart(3)}  ${meaning}`)
  .join("\n")}
`;

const JSON_TOPIC = `What --json prints:

  Every command prints one JSON document on one line of standard output:
    {"version":${JSON_VERSION},"command":"task list","data":{…}}
  A list with --all prints one line a row, and a last line that says how it ended:
    {"version":${JSON_VERSION},"row":{…}}
    {"version":${JSON_VERSION},"end":{"rows":537,"partial":false,"sources":[…]}}
  A failure prints nothing more on standard output, and one document on standard error:
    {"version":${JSON_VERSION},"command":"task get","error":{"code":"…","detail":"…","remedy":"…","exit_status":5}}

  \`data\` is what the gateway's API answers. \`version\` rises when a member changes its meaning or goes;
  new members may come at any time.
`;

const topics: Readonly<Record<string, string>> = { "exit-codes": EXIT_CODES, json: JSON_TOPIC };

/** Walks from the program to the command somebody named, filling groups on the way. */
async function findCommand(
  program: Command,
  words: readonly string[],
  load: (group: Command) => Promise<void>,
): Promise<Command> {
  let found = program;
  for (const word of words) {
    const next = found.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (next === undefined) {
      throw cliProblem("usage_invalid", {
        detail: `There is no command or topic "${words.join(" ")}".`,
        remedy: `Run \`mosaic --help\` for the commands; the topics are ${Object.keys(topics).join(", ")}.`,
      });
    }
    if (next.parent === program) await load(next);
    found = next;
  }
  return found;
}

/** `mosaic help` */
export const define: Define = (command, run, load) => {
  command.argument("[command...]", "a command, or a topic: exit-codes, json").action(
    run(async ({ output }, words: string[]) => {
      const topic = words.length === 1 ? topics[words[0] ?? ""] : undefined;
      if (topic !== undefined) {
        output.result(
          { topic: words[0], text: topic, ...(words[0] === "exit-codes" ? { exit_codes: exitCodes } : {}) },
          () => topic.trimEnd(),
        );
        return;
      }
      const program = command.parent;
      if (program !== null) (await findCommand(program, words, load)).outputHelp();
    }),
  );
  examples(
    command,
    ["mosaic help task add", "help for a command"],
    ["mosaic help exit-codes", "what a script can tell from the exit status"],
    ["mosaic help json", "what --json prints"],
  );
};
