import type { Positions } from "@mosaicstack/federation-protocol";
import { LAST_ID } from "@mosaicstack/foundation";

/** A row reduced to what blending needs: its place in the order, and its JSON text as it will be answered. */
export interface PageRow {
  readonly id: string;
  readonly json: string;
}

/** How one selected source came out of a round of asking; `source` is its place. */
export type SourcePage =
  | {
      readonly kind: "page";
      readonly source: string;
      /** Ids strictly descending, all below the source's position. Never empty while `more` is true. */
      readonly rows: readonly PageRow[];
      /** Whether the source has rows after the last of these. */
      readonly more: boolean;
    }
  | { readonly kind: "failed"; readonly source: string }
  /** Given to its end on an earlier page, and so not asked again. */
  | { readonly kind: "exhausted"; readonly source: string };

/** What one source gave to a page. */
export interface Share {
  readonly rows: number;
  /** Whether the source has more rows than it gave. */
  readonly truncated: boolean;
}

export interface Blend {
  /** Newest first. */
  readonly rows: readonly PageRow[];
  readonly next: Positions | undefined;
  readonly retry: Positions | undefined;
  /** By place, for each that answered. */
  readonly shares: ReadonlyMap<string, Share>;
}

interface Stream {
  readonly source: string;
  readonly rows: readonly PageRow[];
  readonly more: boolean;
  taken: number;
}

/**
 * Merges one page of each source into one page, by id descending; rows of equal id stand in the order of the sources.
 *
 * A source moves on only past rows that were taken, so that no row is lost and none comes twice. A source that was given
 * to its last row but has more ends the page there: it may still hold rows newer than what the others would give next.
 * A failed source keeps its place; what it owes comes on a later page, out of order with the pages given meanwhile.
 *
 * @param limit the most rows of the page, at least 1
 * @param positions where the sources stood before this page
 */
export function blend(pages: readonly SourcePage[], limit: number, positions: Positions | undefined): Blend {
  const streams: Stream[] = pages
    .filter((page) => page.kind === "page")
    .map(({ source, rows, more }) => ({ source, rows, more, taken: 0 }));
  const rows: PageRow[] = [];
  while (rows.length < limit && !streams.some(isDry)) {
    const newest = newestOf(streams);
    const row = newest?.rows[newest.taken];
    if (newest === undefined || row === undefined) break;
    rows.push(row);
    newest.taken += 1;
  }
  return { rows, ...placesAfter(pages, streams, positions), shares: new Map(streams.map(shareOf)) };
}

/** Whether a source has more rows than this round fetched, and all those fetched are taken. */
function isDry(stream: Stream): boolean {
  return stream.more && stream.taken === stream.rows.length;
}

function newestOf(streams: readonly Stream[]): Stream | undefined {
  let newest: Stream | undefined;
  let newestId = "";
  for (const stream of streams) {
    const id = stream.rows[stream.taken]?.id;
    if (id !== undefined && id > newestId) [newest, newestId] = [stream, id];
  }
  return newest;
}

function shareOf(stream: Stream): [string, Share] {
  return [stream.source, { rows: stream.taken, truncated: stream.more || stream.taken < stream.rows.length }];
}

/** Every selected source has a place, so that a page which failed from the start can be asked for again like any other. */
function placesAfter(
  pages: readonly SourcePage[],
  streams: readonly Stream[],
  positions: Positions | undefined,
): Pick<Blend, "next" | "retry"> {
  const before = (source: string) => positions?.[source] ?? LAST_ID;
  const places: Record<string, string | null> = {};
  for (const { kind, source } of pages) places[source] = kind === "exhausted" ? null : before(source);
  let moreToGive = false;
  for (const stream of streams) {
    const [source, { truncated }] = shareOf(stream);
    places[source] = truncated ? (stream.rows[stream.taken - 1]?.id ?? before(source)) : null;
    moreToGive ||= truncated;
  }
  if (moreToGive) return { next: places, retry: undefined };
  return { next: undefined, retry: pages.some(({ kind }) => kind === "failed") ? places : undefined };
}
