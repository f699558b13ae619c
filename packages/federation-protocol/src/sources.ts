const PEER_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Which sources a read asks: this gateway, one peer of the asking user, or all of them. */
export type SourceSelector =
  | { readonly kind: "local" }
  | { readonly kind: "all" }
  | { readonly kind: "peer"; readonly peer: string };

/** Reads a `source` parameter: `local`, `all` or `federated:<peer>`. Undefined: it is none of these. */
export function readSourceSelector(text: string): SourceSelector | undefined {
  if (text === "local" || text === "all") return { kind: text };
  const peer = text.startsWith("federated:") ? text.slice("federated:".length) : "";
  return isPeerName(peer) ? { kind: "peer", peer } : undefined;
}

/** A name a user gives a peer: lower-case letters, digits and hyphens, at most 63. */
export function isPeerName(name: string): boolean {
  return PEER_NAME.test(name);
}

/** The tag of a row or report that came from a peer. */
export function peerSource(peer: string): string {
  return `federated:${peer}`;
}

/** What a list's positions in a peer are kept under: a peer that is given a removed one's name has another. */
export function peerPlace(peer: string, peerId: string): string {
  return `${peerSource(peer)}#${peerId}`;
}

/** The tag of the source whose place it is. */
export function sourceOfPlace(place: string): string {
  return place.replace(/#.*$/u, "");
}

export const sourceStatuses = [
  "ok",
  "cached",
  "timeout",
  "denied",
  "revoked",
  "rate_limited",
  "offline",
  "incompatible",
  "gone",
] as const;
export type SourceStatus = (typeof sourceStatuses)[number];

/** Something about a source that somebody should see to while it answers still. */
export interface SourceWarning {
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
}

/** The warning's code of a source that searches by meaning too, and this time could not: what it found, it found by words. */
export type WordsOnlyCode = "search_words_only";

/** How one source took part in an answer. Every source that was asked has one: nothing is silent. */
export interface SourceReport {
  readonly source: string;
  readonly status: SourceStatus;
  readonly took_ms: number;
  /** Rows of this source in this answer. */
  readonly rows: number;
  /** Whether the source has more rows than it gave. */
  readonly truncated: boolean;
  readonly error?: {
    readonly code: string;
    readonly detail: string;
    readonly remedy: string;
    /** Of `rate_limited`: seconds until the source is asked again. */
    readonly retry_after?: number;
  };
  readonly warning?: SourceWarning;
}
