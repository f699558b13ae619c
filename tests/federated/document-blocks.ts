/**
 * A document as the test reads it. Every fenced block is one of the languages below; what is to happen with one of `sh`
 * stands in an HTML comment on the line before its fence, which readers do not see:
 *
 * - nothing: it is run
 * - `run: edit`: it is run with values of the test's own in place of those a reader edits
 * - `run: background`: it is started, and runs on until `run: stop`, or until the document ends
 * - `run: typed`: it is run on a terminal, where the test answers what it asks
 * - `run: ends with 7`: it is run, and has to end with that status
 * - `not run: needs a container engine`
 *
 * A block of `text` after `run: output` is what the block before it prints; `…` stands for anything within a line.
 */
export type Step =
  | { readonly kind: "run"; readonly at: string; readonly text: string; readonly status: number }
  | { readonly kind: "edit" | "background" | "typed" | "container"; readonly at: string; readonly text: string }
  | { readonly kind: "output"; readonly at: string; readonly text: string }
  | { readonly kind: "stop"; readonly at: string };

/** Those that hold commands of another language, or none, would go by unseen. */
const LANGUAGES: readonly string[] = ["sh", "text", "json", "ini"];
const MARK = /^<!-- ((?:not )?run: .+) -->$/;

/**
 * The steps of a document, or of one section of it, in order.
 * @param name the document's, for messages
 * @param heading the section's, with its number signs
 * @throws Error for a fence of another language, one that does not end, and a mark that says nothing known or marks nothing
 */
export function stepsOf(name: string, document: string, heading?: string): Step[] {
  const lines = document.split("\n");
  const [from, to] = heading === undefined ? [0, lines.length] : sectionOf(lines, heading);
  const steps: Step[] = [];
  let mark: { readonly text: string; readonly at: string } | undefined;
  for (let index = from; index < to; index += 1) {
    const line = lines[index] ?? "";
    const at = `${name}:${index + 1}`;
    const marked = MARK.exec(line)?.[1];
    const fence = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(line);
    if (marked === "run: stop") {
      steps.push({ kind: "stop", at });
    } else if (marked !== undefined) {
      mark = { text: marked, at };
    } else if (fence !== null) {
      const [, indent = "", ticks = "", language = ""] = fence;
      const end = lines.findIndex((other, position) => position > index && other === indent + ticks);
      if (end === -1) throw new Error(`${at}: this block does not end`);
      if (!LANGUAGES.includes(language)) throw new Error(`${at}: \`${language}\` is none of ${LANGUAGES.join(", ")}`);
      const text = lines
        .slice(index + 1, end)
        .map((inner) => inner.slice(indent.length))
        .join("\n");
      const step = stepOf(language, mark?.text, { at, text });
      if (step !== undefined) steps.push(step);
      mark = undefined;
      index = end;
    } else if (mark !== undefined) {
      throw new Error(`${mark.at}: this mark is not on the line before a block`);
    } else if (/^<!--\s*(not\s+)?run\b/.test(line)) {
      throw new Error(`${at}: a mark that is not spelled as one`);
    }
  }
  return steps;
}

function stepOf(
  language: string,
  mark: string | undefined,
  block: { readonly at: string; readonly text: string },
): Step | undefined {
  if (language !== "sh") {
    if (mark === undefined) return undefined;
    if (language === "text" && mark === "run: output") return { kind: "output", ...block };
    throw new Error(`${block.at}: no mark goes with ${language} but \`run: output\` with text`);
  }
  const status = /^run: ends with (\d+)$/.exec(mark ?? "")?.[1];
  if (mark === undefined || status !== undefined) return { kind: "run", status: Number(status ?? 0), ...block };
  const kind = /^run: (edit|background|typed)$/.exec(mark)?.[1] as "edit" | "background" | "typed" | undefined;
  if (kind !== undefined) return { kind, ...block };
  if (mark === "not run: needs a container engine") return { kind: "container", ...block };
  throw new Error(`${block.at}: unknown mark \`${mark}\``);
}

/** The commands of a block, one a line: continued lines joined, comments and empty lines left out. */
export function commandsOf(text: string): string[] {
  return text
    .replaceAll(/\s*\\\n\s*/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Where a section begins and ends, up to the next of the same rank. @throws Error where there is none */
function sectionOf(lines: readonly string[], heading: string): readonly [from: number, to: number] {
  const from = lines.indexOf(heading);
  if (from === -1) throw new Error(`there is no section ${heading}`);
  const rank = heading.slice(0, heading.indexOf(" ") + 1);
  const to = lines.findIndex((line, index) => index > from && line.startsWith(rank));
  return [from, to === -1 ? lines.length : to];
}
