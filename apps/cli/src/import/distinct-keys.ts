import type { ImportRow, Parsed } from "./parsed-row.ts";

/** Whose the rows are that don't say so themselves. */
export interface RowDefaults {
  readonly team: string | undefined;
  readonly owner: string | undefined;
}

/**
 * Gives rows their team and owner where they have none, and sees to it that no two rows of a file mean the same row of
 * the gateway: the second would overwrite the first without a word. Of two with the same key the later is a fault. Keys
 * that were made from content get a number instead, in the order of the file, which a second import finds again.
 */
export async function* withDistinctKeys(
  rows: AsyncIterable<Parsed<ImportRow>>,
  { team, owner }: RowDefaults,
): AsyncGenerator<Parsed<ImportRow>> {
  const places = new Map<string, string>();
  for await (const parsed of rows) {
    if (parsed.kind === "fault") {
      yield parsed;
      continue;
    }
    const row = {
      ...parsed.row,
      ...(parsed.row.team === undefined && team !== undefined ? { team } : {}),
      ...(parsed.row.owner === undefined && owner !== undefined ? { owner } : {}),
    };
    const inSpace = (key: string): string =>
      JSON.stringify(row.team === undefined ? ["owner", row.owner ?? null, key] : ["team", row.team, key]);
    let { key } = row;
    if (parsed.keyIsMade === true) {
      for (let number = 2; places.has(inSpace(key)); number += 1) key = `${row.key}-${number}`;
    }
    const earlier = places.get(inSpace(key));
    if (earlier === undefined) {
      places.set(inSpace(key), parsed.place);
      yield { ...parsed, row: { ...row, key } };
    } else {
      const detail = `The key ${JSON.stringify(key)} stands at ${earlier} already.`;
      yield { kind: "fault", place: parsed.place, progress: parsed.progress, detail };
    }
  }
}
