import type { Command } from "commander";
import type { Define } from "../command-groups.ts";
import { bashCompletion, fishCompletion, type Node, zshCompletion } from "../completion-scripts.ts";
import { examples } from "../examples.ts";
import { cliProblem } from "../problems.ts";

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/** The commands and flags there are, as data. */
function nodeOf(command: Command): Node {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: command.options
      .filter(({ hidden }) => !hidden)
      .map(({ long, short, description, argChoices, required, optional }) => ({
        flags: [short, long].filter((flag) => flag !== undefined),
        description,
        takesValue: required || optional,
        choices: argChoices ?? [],
      })),
    children: command.commands.map(nodeOf),
  };
}

/** `mosaic completion` */
export const define: Define = (command, run, load) => {
  command.argument("<shell>", "bash, zsh or fish").action(
    run(async ({ output }, shell: string) => {
      const make = Object.hasOwn(SHELLS, shell) ? SHELLS[shell as keyof typeof SHELLS] : undefined;
      if (make === undefined) {
        throw cliProblem("usage_invalid", {
          detail: `There is no completion for ${JSON.stringify(shell)}.`,
          remedy: "Choose bash, zsh or fish.",
        });
      }
      const program = command.parent;
      if (program === null) return;
      for (const group of program.commands) await load(group);
      const script = make(nodeOf(program));
      output.raw({ shell, script }, script);
    }),
  );
  examples(
    command,
    ['eval "$(mosaic completion bash)"', "in ~/.bashrc"],
    ["mosaic completion zsh > ~/.zsh/completions/_mosaic", "in a folder of $fpath"],
    ["mosaic completion fish > ~/.config/fish/completions/mosaic.fish", "for fish"],
  );
};
