import type { SourceReport } from "@mosaicstack/federation-protocol";
import { type AgentRow, isRemote, REMOTE_TEXT_NOTE } from "./answer-text.ts";
import { visibleValue } from "./text-safety.ts";

/** A row of an answer as an agent gets it: text of another gateway made visible. */
export function fit(row: AgentRow): AgentRow {
  return isRemote(row._source) ? (visibleValue(row) as AgentRow) : row;
}

/** The reports, which quote what other gateways said. */
export function fitReports(sources: readonly SourceReport[]): readonly SourceReport[] {
  return visibleValue(sources) as readonly SourceReport[];
}

/** What to say of text from elsewhere, where there is any. */
export function noteFor(sources: readonly string[]): string | undefined {
  return sources.some(isRemote) ? REMOTE_TEXT_NOTE : undefined;
}

/** The note as a member of an answer. */
export const marked = (note: string | undefined): { readonly note?: string } => (note === undefined ? {} : { note });
