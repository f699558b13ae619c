import type { Host } from "./host.ts";
import { cliProblem } from "./problems.ts";

export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}

interface TextQuestion {
  readonly message: string;
  readonly initial?: string;
  /** What is wrong with an answer, or undefined. */
  readonly validate?: (answer: string) => string | undefined;
}

/** Asks the person at the terminal. Every question throws `input_needed` where there is none, or with --no-input. */
export interface Prompter {
  readonly possible: boolean;
  text(question: TextQuestion): Promise<string>;
  secret(message: string): Promise<string>;
  choose(message: string, choices: readonly Choice[]): Promise<string>;
  /** @param what is about to happen, as a question */
  confirm(what: string): Promise<boolean>;
}

export function createPrompter(host: Host, allowed: boolean): Prompter {
  const possible = allowed && host.stdin.isTTY === true && host.stderr.isTTY === true;

  /** Loaded on the first question: most runs ask none. */
  async function asking<Answer>(
    question: (prompts: typeof import("@clack/prompts"), common: object) => Promise<Answer>,
  ): Promise<Exclude<Answer, symbol>> {
    if (!possible) throw cliProblem("input_needed");
    const prompts = await import("@clack/prompts");
    // Standard output is for data: the question goes to standard error.
    const answer = await question(prompts, { input: host.stdin, output: host.stderr, signal: host.signal });
    if (typeof answer === "symbol")
      throw cliProblem("interrupted", { detail: "Cancelled.", remedy: "Nothing was changed." });
    return answer as Exclude<Answer, symbol>;
  }

  return {
    possible,
    text: async ({ message, initial, validate }) =>
      await asking(
        async (prompts, common) =>
          await prompts.text({
            message,
            ...common,
            ...(initial === undefined ? {} : { initialValue: initial }),
            ...(validate === undefined ? {} : { validate: (answer: string | undefined) => validate(answer ?? "") }),
          }),
      ),
    secret: async (message) => await asking(async (prompts, common) => await prompts.password({ message, ...common })),
    choose: async (message, choices) =>
      await asking(
        async (prompts, common) =>
          await prompts.select({ message, options: choices.map((choice) => ({ ...choice })), ...common }),
      ),
    confirm: async (what) =>
      await asking(async (prompts, common) => await prompts.confirm({ message: what, initialValue: false, ...common })),
  };
}
