import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A note of the enhancement proposals. */
export interface Proposal {
  readonly title: string;
  readonly body: string;
}

/** A search whose one right answer is known. */
export interface KnownItem {
  readonly kind: "words of the title" | "a summary sentence, paraphrased" | "a misspelt title";
  readonly query: string;
  /** Which note it is of. */
  readonly note: number;
}

/** @param folder with notes.jsonl */
export function readProposals(folder: string): readonly Proposal[] {
  const lines = readFileSync(join(folder, "notes.jsonl"), "utf8").split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { title: string; markdown: string })
    .map(({ title, markdown }) => ({ title, body: markdown }));
}

const COMMON = new Set(
  "a an and are as at be by can for from has have in is it its of on or that the their this to was we which will with".split(
    " ",
  ),
);

/** Other words of the same meaning, for a paraphrase. */
const SYNONYMS: Readonly<Record<string, string>> = {
  proposes: "suggests",
  proposal: "suggestion",
  introduces: "adds",
  introduce: "add",
  add: "introduce",
  adds: "introduces",
  adding: "introducing",
  allow: "let",
  allows: "lets",
  users: "people",
  enhancement: "improvement",
  feature: "capability",
  support: "handle",
  provide: "offer",
  provides: "offers",
  currently: "today",
  new: "additional",
  use: "employ",
  enable: "permit",
  enables: "permits",
  change: "modification",
  describes: "explains",
};

const wordsOf = (text: string): string[] => text.match(/[\p{L}\p{N}]+/gu) ?? [];
const telling = (words: readonly string[]): string[] => words.filter((word) => !COMMON.has(word.toLowerCase()));

/** Two letters inside the longest word change places. */
function misspelt(words: readonly string[]): string | undefined {
  const longest = words.toSorted((one, other) => other.length - one.length)[0] ?? "";
  if (longest.length < 5) return undefined;
  const at = Math.floor(longest.length / 2);
  const wrong = longest.slice(0, at - 1) + (longest[at] ?? "") + (longest[at - 1] ?? "") + longest.slice(at + 1);
  return wrong === longest ? undefined : words.map((word) => (word === longest ? wrong : word)).join(" ");
}

/** The first sentence of the summary, its usual words replaced, every fourth of the rest left out, the order turned around. */
function paraphrased(body: string): string | undefined {
  const section = /^##\s*(?:Summary|Motivation)\s*$([\s\S]*?)(?=^#|(?![\s\S]))/m.exec(body)?.[1] ?? "";
  const text = section
    .replace(/<!--[\s\S]*?-->/g, " ")
    .replace(/\]\([^)]*\)/g, "]")
    .replace(/\s+/g, " ")
    .trim();
  const words = telling(wordsOf(text.split(/(?<=[.!?]) /)[0] ?? ""));
  if (words.length < 6) return undefined;
  const kept = words.filter((_, index) => index % 4 !== 3).slice(0, 12);
  const half = Math.floor(kept.length / 2);
  return [...kept.slice(half), ...kept.slice(0, half)].map((word) => SYNONYMS[word.toLowerCase()] ?? word).join(" ");
}

/**
 * Searches that somebody might type who looks for one of these notes. A title's number would give it away, and is left out.
 * @param each of how many notes one is searched for
 */
export function knownItems(notes: readonly Proposal[], each: number): readonly KnownItem[] {
  return notes.flatMap(({ title, body }, note) => {
    if (note % each !== 0) return [];
    const words = telling(wordsOf(title.replace(/^KEP-[\w.]+:?\s*/i, "")));
    if (words.length === 0) return [];
    const candidates = [
      { kind: "words of the title", query: words.slice(0, 4).join(" ") },
      { kind: "a summary sentence, paraphrased", query: paraphrased(body) },
      { kind: "a misspelt title", query: misspelt(words) },
    ] as const;
    return candidates.flatMap(({ kind, query }) => (query === undefined ? [] : [{ kind, query, note }]));
  });
}
