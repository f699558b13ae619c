import { Problem } from "@mosaicstack/foundation";

/** What became of one row of an import. A failed row stops no other. */
export interface RowResult {
  /** Its place in the request, from 0. */
  readonly index: number;
  /** The row's key, or the person's e-mail address; null where it had none that could be read. */
  readonly key: string | null;
  readonly outcome: "created" | "updated" | "unchanged" | "failed";
  readonly error?: { readonly code: string; readonly detail: string; readonly remedy: string };
}

/** A row's refusal as its result. What is no refusal but a fault ends the request: later rows would meet it too. */
export function failed(index: number, key: string | null, error: unknown): RowResult {
  if (!(error instanceof Problem) || error.status >= 500) throw error;
  const { code, detail, remedy } = error.details;
  return { index, key, outcome: "failed", error: { code, detail, remedy } };
}

/** A member of an unread row that names it, for its result. */
export function nameOf(row: unknown, member: string): string | null {
  if (typeof row !== "object" || row === null) return null;
  const value: unknown = Object.entries(row).find(([name]) => name === member)?.[1];
  return typeof value === "string" ? value.slice(0, 512) : null;
}
