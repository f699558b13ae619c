import { createHash } from "node:crypto";

/** Above this a program is making SQL text without end, and each name would cost every connection memory for good. */
const MOST_NAMES = 500;

/** Gives each SQL text the name it is prepared under: the same text, the same name. */
export class StatementNames {
  readonly #names = new Map<string, string>();

  /** undefined: too many texts already; run this one unprepared. */
  of(sql: string): string | undefined {
    const known = this.#names.get(sql);
    if (known !== undefined || this.#names.size >= MOST_NAMES) return known;
    const name = `m${createHash("sha256").update(sql).digest("base64url").slice(0, 20)}`;
    this.#names.set(sql, name);
    return name;
  }
}
