import { readLines } from "./lines.ts";
import type { RawRecord } from "./parsed-row.ts";

/** One record of a file of named members, its names as they were written. */
export type NamedMembers = Readonly<Record<string, unknown>>;

/** Reads JSON Lines: one JSON object a line. A line that holds anything else is a fault, and the next is read. */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RawRecord<NamedMembers>> {
  for await (const line of readLines(chunks)) {
    if (line.kind === "fault") yield line;
    else yield readObject(line);
  }
}

function readObject(line: RawRecord<string> & { kind: "value" }): RawRecord<NamedMembers> {
  const { place, progress } = line;
  let value: unknown;
  try {
    value = JSON.parse(line.value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it can't be parsed";
    return { kind: "fault", place, progress, detail: `The line is not JSON: ${reason}.` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { kind: "fault", place, progress, detail: "The line is JSON, and not an object." };
  }
  // A member called __proto__ stays a member: Object.entries sees it, and nothing assigns by name.
  return { kind: "value", place, progress, value: value as NamedMembers };
}
