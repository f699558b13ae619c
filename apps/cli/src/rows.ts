import type { SourceReport } from "@mosaicstack/federation-protocol";

/** A row as a gateway answers it. Its members are text from elsewhere: show them through {@link shown}. */
export type Row = Readonly<Record<string, unknown>>;

/** A page of a resource's list. */
export interface ListBody {
  readonly rows: readonly Row[];
  readonly next_cursor: string | null;
  readonly retry_cursor?: string;
  readonly limit: number;
  readonly limit_clamped?: true;
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
}

/** One row, and where it was looked for. */
export interface GetBody {
  readonly row: Row;
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
}

/** A member as a cell or a field shows it: empty for null, an instant to the minute. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return JSON.stringify(value);
  const instant = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d\.\d{3}Z$/u.exec(value);
  if (instant === null) return value;
  const [, day = "", time = ""] = instant;
  return time === "00:00" ? day : `${day} ${time}`;
}

/** A member that is text; anything else is the empty text. */
export function textOf(row: Row, name: string): string {
  const value = row[name];
  return typeof value === "string" ? value : "";
}

/** What a row is called, whatever it is. */
export function nameOf(row: Row): string {
  return textOf(row, "title") || textOf(row, "name") || textOf(row, "content");
}
