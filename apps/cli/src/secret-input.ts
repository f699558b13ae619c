import { readTextInput } from "./files.ts";
import type { Host } from "./host.ts";
import { cliProblem } from "./problems.ts";
import type { Prompter } from "./prompting.ts";

/** Where a secret may come from. Never a flag's value: those show in the list of processes and in the shell's history. */
interface SecretSource {
  /** A file, or `-` for standard input. Absent: ask. */
  readonly file: string | undefined;
  /** The flag that names the file, for the remedy. */
  readonly flag: string;
  /** What the secret is, in words that fit "the …": `password`. */
  readonly what: string;
}

/** A secret from a file, standard input or a prompt, without the line end that editors and `echo` add. */
export async function readSecret(host: Host, ask: Prompter, { file, flag, what }: SecretSource): Promise<string> {
  if (file === undefined && !ask.possible) {
    throw cliProblem("input_needed", {
      detail: `The ${what} is missing, and there is no terminal to ask on.`,
      remedy: `Add ${flag} <file>, or ${flag} - for standard input.`,
    });
  }
  const text = file === undefined ? await ask.secret(`The ${what}`) : await readTextInput(host, file);
  const secret = text.replace(/\r?\n$/u, "");
  if (secret === "")
    throw cliProblem("input_needed", { detail: `The ${what} is empty.`, remedy: "Give one that is not." });
  return secret;
}
