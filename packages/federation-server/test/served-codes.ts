import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { federationProblem } from "@mosaicstack/federation-protocol";

const SOURCES = join(import.meta.dirname, "../src");
/** Answered on the people listener, or to an administrator. */
const NOT_OF_THE_LISTENER = new Set(["enrollment.ts", "grants.ts", "grant-input.ts"]);
/** A case each in renewal.test.ts, where a CA fails and a grant changes half-way. */
const OF_RENEWAL_ALONE = new Set(["authority_unavailable", "grant_changed"]);

/** The codes of the protocol's table that stand in the sources behind the listener; `request_malformed` is parseRequest's too. */
export async function codesServed(): Promise<string[]> {
  const files = (await readdir(SOURCES, { recursive: true })).filter((name) => name.endsWith(".ts"));
  const found = new Set<string>(["request_malformed"]);
  for (const file of files.filter((name) => !NOT_OF_THE_LISTENER.has(name))) {
    const text = await readFile(join(SOURCES, file), "utf8");
    for (const code of Object.keys(federationProblem.table)) if (text.includes(`"${code}"`)) found.add(code);
  }
  return [...found].filter((code) => !OF_RENEWAL_ALONE.has(code)).toSorted();
}

/** Those of the codes that no case is named for. */
export function untested(codes: readonly string[], cases: readonly string[]): string[] {
  return codes.filter((code) => !cases.includes(code));
}
