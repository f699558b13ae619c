import { readLines } from "./lines.ts";
import type { NamedMembers } from "./json-lines.ts";
import type { RawRecord } from "./parsed-row.ts";

const DAY = /^\d{4}-\d\d-\d\d$/u;
const PRIORITY = /^\(([A-Z])\)$/u;
/** `name:value`. Neither a web address nor a time of day is one. */
const TAG = /^([A-Za-z][\w-]*):(?!\/\/)(\S+)$/u;

/**
 * Reads todo.txt (github.com/todotxt/todo.txt): `x` and dates, a priority, +projects, @contexts, name:value tags.
 * Projects and contexts stay in the text too: they are often words of it.
 */
export async function* readTodoTxt(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RawRecord<NamedMembers>> {
  for await (const line of readLines(chunks)) {
    if (line.kind === "fault") yield line;
    else {
      const { place, progress, value } = line;
      yield { kind: "value", place, progress, value: readTodoLine(value) };
    }
  }
}

/** One line of todo.txt as members that a task is understood from. */
export function readTodoLine(line: string): NamedMembers {
  const words = line.trim().split(/\s+/u);
  const done = words[0] === "x";
  if (done) words.shift();
  const dates: string[] = [];
  let priority: string | undefined;
  // Priority before the dates in an open task; some programs keep it there in a completed one.
  for (let first = words[0]; first !== undefined; first = words[0]) {
    const found = PRIORITY.exec(first);
    if (found !== null && priority === undefined && dates.length === 0) [, priority] = found;
    else if (DAY.test(first) && dates.length < (done ? 2 : 1)) dates.push(first);
    else break;
    words.shift();
  }

  const tags: Record<string, string> = {};
  const text = words.filter((word) => {
    const tag = TAG.exec(word);
    const [, name = "", value = ""] = tag ?? [];
    if (tag === null || Object.hasOwn(tags, name)) return true;
    tags[name] = value;
    return false;
  });
  const projects = markedWords(words, "+");
  const contexts = markedWords(words, "@");
  const { pri, ...others } = tags;
  const rank = priority ?? pri;
  // Of two dates of a completed task the first is the completion; of one, that is the one.
  const [completed, created] = done ? [dates[0], dates[1]] : [undefined, dates[0]];
  return {
    ...others,
    title: text.join(" "),
    status: done ? "done" : "open",
    ...(created === undefined ? {} : { created }),
    ...(completed === undefined ? {} : { updated: completed, completed }),
    ...(rank === undefined ? {} : { priority: rank }),
    ...(projects.length === 0 ? {} : { projects }),
    ...(contexts.length === 0 ? {} : { contexts }),
  };
}

function markedWords(words: readonly string[], mark: string): string[] {
  return [...new Set(words.filter((word) => word.length > 1 && word.startsWith(mark)).map((word) => word.slice(1)))];
}
