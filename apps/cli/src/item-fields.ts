import { readTextInput } from "./files.ts";
import type { Host } from "./host.ts";
import { readDate } from "./import/date-text.ts";
import { cliProblem } from "./problems.ts";

/** Collects `--property name=value`, given any number of times. A value that is JSON is taken as JSON. */
export function collectProperty(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const split = text.indexOf("=");
  if (split < 1) throw cliProblem("usage_invalid", { detail: `--property takes name=value, not "${text}".` });
  const value = text.slice(split + 1);
  return { ...before, [text.slice(0, split)]: jsonOrText(value) };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `--due`: a day or an instant; `none` takes it away. */
export function readDue(text: string | undefined): string | null | undefined {
  if (text === undefined) return undefined;
  if (text === "none") return null;
  const date = readDate(text);
  if (date === undefined) {
    throw cliProblem("usage_invalid", {
      detail: `--due ${JSON.stringify(text)} is not a date.`,
      remedy: "Give a day (2026-12-03), an instant (2026-12-03T17:00:00Z), or none.",
    });
  }
  return date.toISOString();
}

/** A long text given as a flag, or in a file (`-`: standard input). Undefined: neither was given. */
export async function longText(
  host: Host,
  flag: string,
  text: string | undefined,
  file: string | undefined,
): Promise<string | undefined> {
  if (text !== undefined && file !== undefined) {
    throw cliProblem("usage_invalid", { detail: `--${flag} and --${flag}-file can't be given together.` });
  }
  return file === undefined ? text : await readTextInput(host, file);
}

/** The members that were given. @throws Problem `usage_invalid` when none was: there is nothing to change */
export function changesOf(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  if (Object.keys(given).length === 0) {
    throw cliProblem("usage_invalid", {
      detail: "Nothing to change was given.",
      remedy: "Add at least one flag; --help lists them.",
    });
  }
  return given;
}
