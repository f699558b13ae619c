import { Problem } from "@mosaicstack/foundation";
import { Command, CommanderError } from "commander";
import { type CommandGroup, commandGroups } from "./command-groups.ts";
import { examples } from "./examples.ts";
import { type ExitName, exitNameOf } from "./exit-codes.ts";
import type { Host } from "./host.ts";
import { type Bind, createBind, createInvocation, type GlobalOptions, statusOf } from "./invocation.ts";
import { cliProblem } from "./problems.ts";
import { VERSION } from "./version.ts";

/** The whole command, its groups still empty: {@link loadGroup} fills one. */
export interface Program {
  readonly command: Command;
  readonly run: Bind;
  /** Fills a group with its commands. Filling it again does nothing. */
  readonly loadGroup: (group: Command) => Promise<void>;
}

const filled = new WeakSet<Command>();

/** @param ended hears how the command that ran went */
export function createProgram(host: Host, ended: (exit: ExitName) => void): Program {
  const command = new Command("mosaic");
  const run = createBind(host, command, ended);
  const program: Program = {
    command,
    run,
    async loadGroup(group) {
      const found = commandGroups.find(({ name }) => name === group.name());
      if (found === undefined || filled.has(group)) return;
      filled.add(group);
      (await found.load()).define(group, run, program.loadGroup);
    },
  };

  command
    .description("Tasks, notes, memory and credentials for agents and people, on a gateway of your own.")
    .version(VERSION, "-V, --version", "print the version")
    .option("--json", "print JSON: one document, or one a line for streams")
    .option("-q, --quiet", "leave out progress and next steps")
    .option("-y, --yes", "don't ask before what can't be undone")
    .option("--no-input", "never ask anything, even on a terminal")
    .option("--url <address>", "the gateway's address (MOSAIC_URL)")
    .option("--profile <name>", "the profile to use (MOSAIC_PROFILE)")
    .option("--ca-file <file>", "a CA certificate to trust besides the usual ones, PEM (MOSAIC_CA_FILE)")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(host.stdout.columns ?? 100, 100) })
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
      // A usage error is shown by this program, in the form every other error has.
      outputError: () => undefined,
    })
    .exitOverride()
    .hook("preSubcommand", async (_, group) => {
      await program.loadGroup(group);
    });
  examples(
    command,
    ["mosaic demo", "watch two gateways federate, on this machine"],
    ["mosaic init && mosaic start", "set up a gateway and run it"],
    ['mosaic task add "Buy milk"', "add a task"],
    ["mosaic task list --source all", "your tasks, and those of gateways you may read"],
  );
  for (const group of commandGroups) addGroup(command, group);
  return program;
}

function addGroup(program: Command, { name, summary, heading }: CommandGroup): void {
  program.commandsGroup(`${heading}:`).command(name).description(summary).summary(summary);
}

/** Runs one command line, the program's name not in it. Resolves with the exit status. */
export async function runCommand(words: readonly string[], host: Host): Promise<number> {
  let exit: ExitName = "ok";
  const { command } = createProgram(host, (how) => {
    exit = how;
  });
  try {
    await command.parseAsync([...words], { from: "user" });
    return statusOf(exit);
  } catch (error) {
    const fault =
      host.signal.aborted && !(error instanceof Problem) ? cliProblem("interrupted", { cause: error }) : error;
    return report(fault, command, host, typedPath(command, words));
  }
}

/** Which command a line is about, as far as it can be told when the line itself is at fault. */
function typedPath(program: Command, words: readonly string[]): string {
  const names: string[] = [];
  let at: Command | undefined = program;
  for (const word of words) {
    const next: Command | undefined = at.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (next === undefined) continue;
    names.push(next.name());
    at = next;
  }
  return names.join(" ");
}

function report(fault: unknown, command: Command, host: Host, typed: string): number {
  let shown = fault;
  if (fault instanceof CommanderError) {
    if (fault.exitCode === 0) return 0;
    // Help for a group named without a command is already on standard error.
    if (fault.code === "commander.help") return statusOf("usage");
    shown = usageProblem(fault);
  }
  const name = exitNameOf(shown);
  createInvocation(host, command.opts<GlobalOptions>(), typed).output.error(shown, name);
  return statusOf(name);
}

/** Commander's `error: unknown command 'tsk'\n(Did you mean task?)` as a Problem. */
function usageProblem({ message }: CommanderError): Problem {
  const [first = "", ...rest] = message.replace(/^error: /u, "").split("\n");
  const detail = `${first.charAt(0).toUpperCase()}${first.slice(1)}${/[.!?]$/u.test(first) ? "" : "."}`;
  const hint = rest.join(" ").replace(/^\((.*)\)$/u, "$1");
  return cliProblem("usage_invalid", { detail, ...(hint === "" ? {} : { remedy: hint }) });
}
