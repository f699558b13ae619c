import type { RawRecord } from "./parsed-row.ts";

/** A line may hold a whole note. What is longer is no row that a gateway takes. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** Text of UTF-8 bytes; undefined where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Reads lines of UTF-8. Blank ones are skipped; one that is not UTF-8, or is too long, is a fault of its own.
 * The line's end may be LF or CRLF; a byte order mark at the start is dropped.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RawRecord<string>> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let tooLong = false;
  let line = 0;
  let consumed = 0;

  const finish = (): RawRecord<string> | undefined => {
    line += 1;
    const place = `line ${line}`;
    const bytes = pending.length === 1 && pending[0] !== undefined ? pending[0] : Buffer.concat(pending);
    const wasTooLong = tooLong;
    pending = [];
    pendingBytes = 0;
    tooLong = false;
    if (wasTooLong) return { kind: "fault", place, detail: "The line is longer than 8 MiB.", progress: consumed };
    const text = decodeUtf8(bytes);
    if (text === undefined) return { kind: "fault", place, detail: "The line is not UTF-8.", progress: consumed };
    const value = text.endsWith("\r") ? text.slice(0, -1) : text;
    return value.trim() === "" ? undefined : { kind: "value", place, value, progress: consumed };
  };
  const keep = (part: Uint8Array): void => {
    pendingBytes += part.length;
    tooLong ||= pendingBytes > MAX_LINE_BYTES;
    if (tooLong) pending = [];
    else if (part.length > 0) pending.push(part);
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      keep(chunk.subarray(start, end));
      consumed += end + 1 - start;
      start = end + 1;
      const record = finish();
      if (record !== undefined) yield record;
    }
    keep(chunk.subarray(start));
    consumed += chunk.length - start;
  }
  if (pendingBytes > 0) {
    const record = finish();
    if (record !== undefined) yield record;
  }
}
