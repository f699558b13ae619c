import type { Command } from "commander";

/** A command line somebody would really type, and what it does. */
export type Example = readonly [line: string, what: string];

/** Puts examples at the top of a command's help: they say more, sooner, than a list of flags. */
export function examples(command: Command, ...lines: readonly Example[]): Command {
  const width = Math.max(...lines.map(([line]) => line.length));
  const shown = lines.map(([line, what]) => `  $ ${line.padEnd(width)}  # ${what}`);
  // A line that is too long for two columns has its comment above it.
  const text = width > 60 ? lines.map(([line, what]) => `  # ${what}\n  $ ${line}`) : shown;
  return command.addHelpText("before", `Examples:\n${text.join("\n")}\n`);
}
