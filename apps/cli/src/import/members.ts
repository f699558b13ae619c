import { createHash } from "node:crypto";
import { readDate } from "./date-text.ts";
import type { NamedMembers } from "./json-lines.ts";

/** The longest title a gateway takes, in UTF-16 units. */
const MAX_TITLE = 500;

/**
 * Takes the members of a record one after the other, by any of several names; what nobody took is left for `rest`.
 * Case, spaces, hyphens and underscores of a name don't matter: `Due Date` is `due_date`.
 */
export class Members {
  readonly #left: Map<string, unknown>;
  readonly warnings: string[] = [];
  /** Kept in the row's properties although it was understood, or because it was not. */
  readonly kept: Record<string, unknown> = {};

  constructor(members: NamedMembers) {
    this.#left = new Map(Object.entries(members));
  }

  /** The value under the first of the names that has one, with the name as it was written. */
  take(...names: readonly string[]): { readonly name: string; readonly value: unknown } | undefined {
    for (const wanted of names) {
      for (const [name, value] of this.#left) {
        if (bareName(name) !== wanted || value === null || value === undefined) continue;
        this.#left.delete(name);
        return { name, value };
      }
    }
    return undefined;
  }

  /** A text on one line, trimmed and composed (NFC); a number is taken as its digits. Undefined: none, or a blank one. */
  takeText(...names: readonly string[]): string | undefined | { readonly fault: string } {
    const found = this.take(...names);
    if (found === undefined) return undefined;
    const { name, value } = found;
    if (typeof value !== "string" && typeof value !== "number") return { fault: `"${name}" must be text.` };
    const text = String(value).normalize("NFC").trim();
    return text === "" ? undefined : text;
  }

  /** A date as ISO 8601. One that can't be read is a warning, and its text is kept. */
  takeDate(options: { readonly warnWhenEmpty: boolean }, ...names: readonly string[]): string | undefined {
    const found = this.take(...names);
    if (found === undefined) return undefined;
    const { name, value } = found;
    const text = typeof value === "string" ? value.trim() : JSON.stringify(value);
    const date = readDate(text);
    if (date !== undefined) return date.toISOString();
    if (text !== "" || options.warnWhenEmpty) {
      this.kept[name] = value;
      this.warnings.push(
        text === "" ? `"${name}" is empty.` : `"${name}" is not a date: ${JSON.stringify(text.slice(0, 40))}.`,
      );
    }
    return undefined;
  }

  /** Everything that was not taken, and what was kept. */
  rest(): Record<string, unknown> {
    return { ...Object.fromEntries(this.#left), ...this.kept };
  }

  /** A title that fits. What is cut from a longer one is kept whole. */
  fitTitle(title: string): string {
    const line = title.replaceAll(/\s+/gu, " ");
    if (line.length <= MAX_TITLE) return line;
    this.kept["title"] = title;
    this.warnings.push(`The title is longer than ${MAX_TITLE} characters; the whole of it is in the properties.`);
    return `${line.slice(0, MAX_TITLE - 1).toWellFormed()}…`;
  }
}

function bareName(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]+/gu, "");
}

/** A key that the same content always has, for rows that came without one. */
export function contentKey(content: unknown): string {
  return `row-${createHash("sha256").update(JSON.stringify(content)).digest("base64url").slice(0, 22)}`;
}
