/** What a JSON text holds, or where it first goes wrong. Lines and columns count from 1. */
export type JsonReading =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "malformed"; readonly line: number; readonly column: number; readonly message: string };

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const DEEPEST = 32;

class Malformed extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** Walks the RFC 8259 grammar for the place of a fault; `JSON.parse` makes the value. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value(0);
    if (this.#at < this.#text.length) this.#fail("expected the end of the file");
  }

  #fail(message: string): never {
    throw new Malformed(this.#at, message);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #takeMark(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false;
    this.#at += 1;
    this.#take(SPACE);
    return true;
  }

  #string(): string | undefined {
    const found = this.#take(STRING);
    if (found === undefined && this.#text[this.#at] === '"') {
      this.#fail("this text in double quotes is not closed on its line, or has a bad backslash");
    }
    return found;
  }

  #value(depth: number): void {
    this.#take(SPACE);
    if (depth > DEEPEST) this.#fail("nested too deep");
    if (this.#takeMark("{")) this.#members(depth);
    else if (this.#takeMark("[")) this.#elements(depth);
    else if (this.#string() === undefined && this.#take(SCALAR) === undefined) {
      this.#fail("expected a value: text in double quotes, a number, true, false, { or [");
    }
    this.#take(SPACE);
  }

  #members(depth: number): void {
    if (this.#takeMark("}")) return;
    const keys = new Set<string>();
    do {
      const start = this.#at;
      const key = this.#string();
      if (key === undefined) this.#fail("expected a name in double quotes");
      const name: unknown = JSON.parse(key);
      if (keys.has(String(name))) throw new Malformed(start, "this name was already given in the same object");
      keys.add(String(name));
      this.#take(SPACE);
      if (!this.#takeMark(":")) this.#fail("expected a colon");
      this.#value(depth + 1);
    } while (this.#takeMark(","));
    if (!this.#takeMark("}")) this.#fail("expected a comma or }");
  }

  #elements(depth: number): void {
    if (this.#takeMark("]")) return;
    do this.#value(depth + 1);
    while (this.#takeMark(","));
    if (!this.#takeMark("]")) this.#fail("expected a comma or ]");
  }
}

/**
 * Reads JSON (RFC 8259). A message never quotes the text, as `JSON.parse` does: the text may hold a secret.
 * A name given twice in one object is a fault here, where `JSON.parse` silently takes the last.
 */
export function readJson(text: string): JsonReading {
  try {
    new Scanner(text).document();
    const value: unknown = JSON.parse(text);
    return { kind: "value", value };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const before = text.slice(0, error.at).split("\n");
    return {
      kind: "malformed",
      line: before.length,
      column: (before.at(-1) ?? "").length + 1,
      message: error.message,
    };
  }
}
