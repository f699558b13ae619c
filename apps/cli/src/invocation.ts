import type { Command } from "commander";
import { type ExitName, exitCodes } from "./exit-codes.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { type GatewayTarget, resolveTarget } from "./gateway-target.ts";
import type { Host } from "./host.ts";
import { createOutput, type Output } from "./output.ts";
import { cliProblem } from "./problems.ts";
import { createPrompter, type Prompter } from "./prompting.ts";

/** The flags every command takes. */
export interface GlobalOptions {
  readonly json?: true;
  readonly quiet?: true;
  readonly yes?: true;
  /** False with --no-input. */
  readonly input: boolean;
  readonly url?: string;
  readonly profile?: string;
  readonly caFile?: string;
}

/** What a command is given to do its work with. */
export interface Invocation {
  readonly host: Host;
  readonly options: GlobalOptions;
  readonly output: Output;
  readonly ask: Prompter;
  /** Which gateway, whether or not somebody is signed in there. */
  readonly target: () => Promise<GatewayTarget>;
  /** The gateway, signed in. @throws Problem `not_signed_in` */
  readonly gateway: () => Promise<Gateway>;
  /**
   * Asks before something that can't be undone. Resolves when it may go on.
   * @throws Problem `confirmation_needed` where nobody can be asked, `interrupted` on "no"
   */
  readonly confirm: (question: string) => Promise<void>;
}

/** A command's work. Its answer is how it went where that is not simply `ok`. */
type Action<Arguments extends unknown[]> = (invocation: Invocation, ...values: Arguments) => Promise<ExitName | void>;

/** Makes an action into what commander calls. */
export type Bind = <Arguments extends unknown[]>(action: Action<Arguments>) => (...values: Arguments) => Promise<void>;

/** The command as typed, without the program's name: `task list`. */
export function commandPath(command: Command): string {
  const names: string[] = [];
  for (let each: Command | null = command; each?.parent; each = each.parent) names.unshift(each.name());
  return names.join(" ");
}

export function createInvocation(host: Host, options: GlobalOptions, command: string): Invocation {
  const { json, quiet, yes, input } = options;
  const ask = createPrompter(host, input);
  const target = async (): Promise<GatewayTarget> => await resolveTarget(host, options);
  return {
    host,
    options,
    output: createOutput({ host, json: json === true, quiet: quiet === true, command }),
    ask,
    target,
    async gateway() {
      const found = await target();
      if (found.apiKey === undefined) {
        throw cliProblem("not_signed_in", { detail: `There is no API key for ${found.url} (from ${found.from}).` });
      }
      return createGateway(found, host.signal);
    },
    async confirm(question) {
      if (yes === true) return;
      if (!ask.possible) throw cliProblem("confirmation_needed", { detail: `${question} Nobody can be asked here.` });
      if (!(await ask.confirm(question))) {
        throw cliProblem("interrupted", { detail: "Stopped.", remedy: "Nothing was changed." });
      }
    },
  };
}

/** Binds actions to a host. `ended` hears how each one went. */
export function createBind(host: Host, program: Command, ended: (exit: ExitName) => void): Bind {
  return (action) =>
    async (...values) => {
      const command = values.at(-1) as Command;
      const invocation = createInvocation(host, program.opts<GlobalOptions>(), commandPath(command));
      ended((await action(invocation, ...values)) ?? "ok");
    };
}

/** The exit status of a name. */
export function statusOf(exit: ExitName): number {
  return exitCodes[exit].status;
}
