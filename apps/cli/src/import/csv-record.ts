/** One record of CSV, or why there is none at the start of a text. */
export type CsvRecord =
  | {
      readonly kind: "record";
      readonly cells: readonly string[];
      /** Where the next record starts. */ readonly end: number;
    }
  /** The text ends within the record. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "malformed"; readonly reason: string; /** Where it went wrong. */ readonly at: number };

/**
 * Reads the record at the start of a text (RFC 4180). Quotes within a cell that does not start with one are text: people
 * write them.
 *
 * @param isEnd whether nothing follows the text, so that its end is the record's
 */
export function readCsvRecord(text: string, delimiter: string, isEnd: boolean): CsvRecord {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    let cell: string;
    if (text[at] === '"') {
      const closing = closingQuote(text, at + 1);
      // At the end of what is here a second quote may follow, and make it a quote within the cell.
      if (closing === undefined || (closing === text.length - 1 && !isEnd)) return { kind: "incomplete" };
      cell = text.slice(at + 1, closing).replaceAll('""', '"');
      at = closing + 1;
    } else {
      const end = cellEnd(text, at, delimiter);
      if (end === text.length && !isEnd) return { kind: "incomplete" };
      cell = text.slice(at, end);
      at = end;
    }
    const lineEnd = lineEndLength(text, at, isEnd);
    if (lineEnd === undefined) return { kind: "incomplete" };
    if (lineEnd > 0) return { kind: "record", cells: [...cells, cell], end: at + lineEnd };
    if (at >= text.length) return { kind: "record", cells: [...cells, cell], end: text.length };
    if (text[at] !== delimiter)
      return { kind: "malformed", reason: "Something stands between closing quotes and the next cell.", at };
    cells.push(cell);
    at += 1;
  }
}

/** The quote that is not one of two. */
function closingQuote(text: string, from: number): number | undefined {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return undefined;
}

function cellEnd(text: string, from: number, delimiter: string): number {
  let at = from;
  while (at < text.length && text[at] !== delimiter && text[at] !== "\n" && text[at] !== "\r") at += 1;
  return at;
}

/** 0: no line ends here. Undefined: the text does, after a carriage return that may be half of a line's end. */
function lineEndLength(text: string, at: number, isEnd: boolean): number | undefined {
  if (text[at] === "\n") return 1;
  if (text[at] !== "\r") return 0;
  if (at + 1 === text.length) return isEnd ? 1 : undefined;
  return text[at + 1] === "\n" ? 2 : 1;
}
