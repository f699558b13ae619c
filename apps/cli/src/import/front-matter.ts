import { parseDocument } from "yaml";

/** A block longer than this is prose between two rules, or somebody's trap. */
const MAX_BLOCK_CHARACTERS = 65_536;
const MAX_ALIASES = 50;
const MAX_DEPTH = 20;

const BLOCK = /^---[ \t]*\r?\n(?:([\s\S]*?)\r?\n)??(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/u;

/** What stands before a Markdown text between two lines of `---`, and the text after it. */
export type FrontMatter =
  | { readonly kind: "none"; readonly body: string }
  | { readonly kind: "members"; readonly members: Readonly<Record<string, unknown>>; readonly body: string }
  /** It can't be read; the body is the whole text, so nothing of it is lost. */
  | { readonly kind: "malformed"; readonly reason: string; readonly body: string };

/** Takes the front matter off a Markdown text: YAML 1.2, core schema, without tags, of bounded size and depth. */
export function readFrontMatter(text: string): FrontMatter {
  if (!/^---[ \t]*\r?\n/u.test(text)) return { kind: "none", body: text };
  const malformed = (reason: string): FrontMatter => ({ kind: "malformed", reason, body: text });
  const found = BLOCK.exec(text.slice(0, MAX_BLOCK_CHARACTERS));
  // A text may simply start with a rule.
  if (found === null)
    return text.length > MAX_BLOCK_CHARACTERS ? malformed("it is too long") : { kind: "none", body: text };
  const [whole, block = ""] = found;

  const document = parseDocument(block, { schema: "core", logLevel: "silent", prettyErrors: false });
  const [fault] = document.errors;
  if (fault !== undefined) return malformed(fault.message);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return malformed(error instanceof Error ? error.message : "it can't be read");
  }
  const body = text.slice(whole.length);
  if (value === null || value === undefined) return { kind: "members", members: {}, body };
  if (typeof value !== "object" || Array.isArray(value)) return malformed("it is not a list of names and values");
  const members = asJson(value, 0);
  return members === undefined
    ? malformed("it is nested too deep")
    : { kind: "members", members: members as Record<string, unknown>, body };
}

/** A YAML value as JSON can hold it: numbers that JSON has no form for become text. Undefined: nested too deep. */
function asJson(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  const nested = (each: unknown): unknown => asJson(each, depth + 1);
  if (Array.isArray(value)) {
    const items = value.map(nested);
    return items.includes(undefined) ? undefined : items;
  }
  const members = Object.entries(value).map(([name, each]): [string, unknown] => [name, nested(each)]);
  return members.some(([, each]) => each === undefined) ? undefined : Object.fromEntries(members);
}
