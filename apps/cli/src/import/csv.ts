import { readCsvRecord } from "./csv-record.ts";
import type { NamedMembers } from "./json-lines.ts";
import { decodeUtf8 } from "./lines.ts";
import type { RawRecord } from "./parsed-row.ts";

/** No record that a gateway takes is longer; quotes that never close are noticed after this many bytes. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;
const DELIMITERS = [",", ";", "\t"] as const;
const BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf";

/** The delimiter that stands most often in the first line, outside of quotes. A comma where none does. */
export function guessDelimiter(text: string): string {
  const [firstLine = ""] = text.replaceAll(/"[^"]*"/gu, "").split(/\r?\n/u, 1);
  const counted = DELIMITERS.map((mark) => ({ mark, count: firstLine.split(mark).length - 1 }));
  return counted.reduce((most, each) => (each.count > most.count ? each : most)).mark;
}

/**
 * Reads CSV (RFC 4180) in UTF-8, also with semicolons or tabs. The first record names the members; empty cells are left
 * out. A record that can't be read is a fault, and the next one is read: quotes that never close cost their own line.
 */
export async function* readCsv(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RawRecord<NamedMembers>> {
  let delimiter: string | undefined;
  let names: readonly string[] | undefined;
  for await (const record of readRecords(chunks, (start) => (delimiter ??= guessDelimiter(start)))) {
    if (record.kind === "fault") yield record;
    else if (names === undefined) names = distinctNames(record.value);
    else yield nameCells(names, record);
  }
}

async function* readRecords(
  chunks: AsyncIterable<Uint8Array>,
  delimiterOf: (start: string) => string,
): AsyncGenerator<RawRecord<readonly string[]>> {
  // One character a byte: everything CSV is made of is ASCII, so cells are decoded once they are cut out.
  let pending = "";
  let line = 1;
  let consumed = 0;
  /** After a fault: everything up to the end of its line is passed over. */
  let skipping = false;
  const drop = (length: number): void => {
    line += pending.slice(0, length).split("\n").length - 1;
    consumed += length;
    pending = pending.slice(length);
  };

  function* take(isEnd: boolean): Generator<RawRecord<readonly string[]>> {
    for (;;) {
      if (pending === "") return;
      if (skipping) {
        const newline = pending.indexOf("\n");
        skipping = newline === -1;
        drop(skipping ? pending.length : newline + 1);
        continue;
      }
      const place = `line ${line}`;
      const record = readCsvRecord(pending, delimiterOf(pending), isEnd);
      if (record.kind === "incomplete" && !isEnd && pending.length <= MAX_RECORD_BYTES) return;
      if (record.kind === "record") {
        drop(record.end);
        const cells = record.cells.map((cell) => decodeUtf8(Buffer.from(cell, "latin1")));
        const value = cells.filter((cell) => cell !== undefined);
        if (value.length < cells.length)
          yield { kind: "fault", place, detail: "The record is not UTF-8.", progress: consumed };
        else if (value.some((cell) => cell.trim() !== "")) yield { kind: "value", place, value, progress: consumed };
      } else {
        const detail = record.kind === "malformed" ? record.reason : "The quotes that open here never close.";
        if (record.kind === "malformed") drop(record.at);
        skipping = true;
        yield { kind: "fault", place, detail, progress: consumed };
      }
    }
  }

  let begun = false;
  for await (const chunk of chunks) {
    pending += Buffer.from(chunk).toString("latin1");
    // The first line says what the delimiter is, so all of it must be here.
    if (!begun && !pending.includes("\n") && pending.length <= MAX_RECORD_BYTES) continue;
    if (!begun && pending.startsWith(BYTE_ORDER_MARK)) drop(BYTE_ORDER_MARK.length);
    begun = true;
    yield* take(false);
  }
  if (!begun && pending.startsWith(BYTE_ORDER_MARK)) drop(BYTE_ORDER_MARK.length);
  yield* take(true);
}

/** The names of the columns. One without a name, and the second of two with the same, get one. */
function distinctNames(record: readonly string[]): string[] {
  const taken = new Set<string>();
  return record.map((cell, index) => {
    const base = cell.trim() === "" ? `column ${index + 1}` : cell.trim();
    let name = base;
    for (let number = 2; taken.has(name); number += 1) name = `${base} ${number}`;
    taken.add(name);
    return name;
  });
}

function nameCells(
  names: readonly string[],
  record: RawRecord<readonly string[]> & { kind: "value" },
): RawRecord<NamedMembers> {
  const { place, progress, value: cells } = record;
  if (cells.slice(names.length).some((cell) => cell !== "")) {
    const detail = `The record has ${cells.length} cells, and the first line names ${names.length}.`;
    return { kind: "fault", place, progress, detail };
  }
  const members = names.flatMap((name, index): [string, string][] => {
    const cell = cells[index] ?? "";
    return cell.trim() === "" ? [] : [[name, cell]];
  });
  return { kind: "value", place, progress, value: Object.fromEntries(members) };
}
