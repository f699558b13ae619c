import { type ListAnswer, type Positions, sourceOfPlace, type SourceReport } from "@mosaicstack/federation-protocol";
import { peerProblem } from "./problems.ts";
import { reportedError, statusOf } from "./source-status.ts";

/** Sources that a cursor goes on to tell of, at most: it stays bounded however often peers come and go. */
const MOST_CARRIED = 10;

/**
 * A page with what it lacks: each source that the cursor says still owes rows and that is not read any more is reported, on
 * this page and, since the cursor carries it along, on those that follow.
 *
 * @param positions where the sources stood before this page
 * @param places of the sources that are read
 */
export function withGoneSources(
  answer: ListAnswer,
  positions: Positions | undefined,
  places: readonly string[],
): ListAnswer {
  const gone = Object.entries(positions ?? {}).filter(([place, id]) => id !== null && !places.includes(place));
  if (gone.length === 0) return answer;
  const carried = Object.fromEntries(gone.slice(0, MOST_CARRIED));
  return {
    ...answer,
    next: answer.next === undefined ? undefined : { ...answer.next, ...carried },
    retry: answer.retry === undefined ? undefined : { ...answer.retry, ...carried },
    partial: true,
    sources: [...answer.sources, ...gone.map(([place]) => goneReport(sourceOfPlace(place)))],
  };
}

function goneReport(source: string): SourceReport {
  const problem = peerProblem("source_gone");
  const error = reportedError(problem);
  return { source, status: statusOf(problem), took_ms: 0, rows: 0, truncated: false, error };
}
