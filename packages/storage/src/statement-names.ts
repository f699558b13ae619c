import { createHash } from "node:crypto";

/** Above this a program is making SQL text without end, and each name would cost every connection memory for good. */
const MOST_NAMES = 500;

/**
 * Begins the text of a statement that is planned anew each time. How a search is best run depends on how common its words
 * are, which a plan made for any words can't know: seconds, in a million rows, for the wrong one.
 */
export const PLANNED_ANEW = "/* planned anew */ ";

/** Gives each SQL text the name it is prepared under: the same text, the same name. */
export class StatementNames {
  readonly #names = new Map<string, string>();
  readonly #prefix: string;

  /** @param prefix sets these names apart from another's on the same connection */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** undefined: run it unprepared, since it asks for that or there are too many texts already. */
  of(sql: string): string | undefined {
    if (sql.startsWith(PLANNED_ANEW)) return undefined;
    const known = this.#names.get(sql);
    if (known !== undefined || this.#names.size >= MOST_NAMES) return known;
    const name = `${this.#prefix}${createHash("sha256").update(sql).digest("base64url").slice(0, 20)}`;
    this.#names.set(sql, name);
    return name;
  }
}
