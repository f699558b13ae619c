/** A row as the gateway's import takes it. */
export interface ImportRow {
  /** Makes a second import of the same row find the first. */
  readonly key: string;
  /** A user's name or e-mail address. Absent: whoever imports. */
  readonly owner?: string;
  /** A team's name. Absent: personal. */
  readonly team?: string;
  /** ISO 8601, UTC. */
  readonly created_at?: string;
  readonly updated_at?: string;
  /** The members of a creation. */
  readonly input: Readonly<Record<string, unknown>>;
}

/** What a parser makes of one row of a file. A row that can't be read is a fault, and the next one is read all the same. */
export type Parsed<Row> =
  | {
      readonly kind: "row";
      /** Where it stands, for messages: `line 12`, a file's path. */
      readonly place: string;
      readonly row: Row;
      /** What was taken otherwise than written. Nothing of it is lost. */
      readonly warnings: readonly string[];
      /** Set where the file has no key for the row, and one was made from its content. */
      readonly keyIsMade?: true;
      /** How far this row brings the reading, in the unit of the whole: bytes of a file, or files of a folder. */
      readonly progress: number;
    }
  | { readonly kind: "fault"; readonly place: string; readonly detail: string; readonly progress: number };

/** One record of a file before its members are understood. */
export type RawRecord<Value> =
  | { readonly kind: "value"; readonly place: string; readonly value: Value; readonly progress: number }
  | { readonly kind: "fault"; readonly place: string; readonly detail: string; readonly progress: number };

/** A record understood, or why it can't be. */
export type Understood<Row> =
  | { readonly kind: "row"; readonly row: Row; readonly warnings: readonly string[]; readonly keyIsMade?: true }
  | { readonly kind: "fault"; readonly detail: string };

/** Reads records one after the other, each understood by itself. */
export async function* understandEach<Value, Row>(
  records: AsyncIterable<RawRecord<Value>>,
  understand: (value: Value) => Understood<Row>,
): AsyncGenerator<Parsed<Row>> {
  for await (const record of records) {
    if (record.kind === "fault") yield record;
    else {
      const { place, progress, value } = record;
      yield { ...understand(value), place, progress };
    }
  }
}
