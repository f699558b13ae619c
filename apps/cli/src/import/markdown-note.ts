import { readDate } from "./date-text.ts";
import { readFrontMatter } from "./front-matter.ts";
import { Members } from "./members.ts";
import type { ImportRow } from "./parsed-row.ts";

/** A Markdown file as a vault has it. */
export interface MarkdownFile {
  /** From the vault's folder, with `/`, composed (NFC): the note's key. */
  readonly path: string;
  readonly text: string;
  readonly modified: Date;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/u;
const HEADING = /^ {0,3}#(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/u;
const UNDERLINE = /^ {0,3}=+[ \t]*$/u;

/** The first heading of the first level that is no part of a code block: `# Title`, or a line above `===`. */
export function firstHeading(markdown: string): string | undefined {
  let fence: string | undefined;
  let before = "";
  for (const line of markdown.split(/\r?\n/u)) {
    const mark = FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark !== undefined && mark.startsWith(fence) && line.trim() === mark) fence = undefined;
      continue;
    }
    const heading = HEADING.exec(line)?.[1]?.trim();
    if (heading !== undefined && heading !== "") return heading;
    if (UNDERLINE.test(line) && before.trim() !== "") return before.trim();
    if (mark !== undefined) fence = mark;
    before = line;
  }
  return undefined;
}

/**
 * A note from a Markdown file. Title: the front matter's, else the first heading, else the file's name. Times: the front
 * matter's, else the file's. What else the front matter has becomes properties.
 */
export function noteOfMarkdown(file: MarkdownFile): { readonly row: ImportRow; readonly warnings: readonly string[] } {
  const found = readFrontMatter(file.text);
  const members = new Members(found.kind === "members" ? found.members : {});
  if (found.kind === "malformed") {
    members.warnings.push(`The front matter can't be read, and stays in the text: ${found.reason}.`);
  }
  const title = takeTitle(members) ?? firstHeading(found.body) ?? baseName(file.path);
  const created = members.takeDate({ warnWhenEmpty: true }, "created", "createdat", "date");
  const updated = members.takeDate(
    { warnWhenEmpty: true },
    "updated",
    "updatedat",
    "modified",
    "lastmod",
    "lastupdated",
  );
  const modified = fileTime(file.modified);
  const createdAt = created ?? updated ?? modified;
  const updatedAt = updated ?? modified;
  return {
    warnings: members.warnings,
    row: {
      key: file.path,
      created_at: createdAt,
      updated_at: updatedAt < createdAt ? createdAt : updatedAt,
      input: { title: members.fitTitle(title.normalize("NFC")), body: found.body, properties: members.rest() },
    },
  };
}

function takeTitle(members: Members): string | undefined {
  const found = members.take("title");
  if (found === undefined) return undefined;
  const { name, value } = found;
  const text = typeof value === "string" || typeof value === "number" ? String(value).trim() : "";
  if (text === "") members.kept[name] = value;
  return text === "" ? undefined : text;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.md$/iu, "");
}

/** A file's time, where a clock that was never set has not made it one that no gateway takes. */
function fileTime(modified: Date): string {
  return (readDate(modified.toISOString()) ?? new Date(0)).toISOString();
}
