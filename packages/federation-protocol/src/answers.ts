import type {
  CapabilitiesResponse,
  GetRequest,
  GetResponse,
  ListRequest,
  ListResponse,
  SearchRequest,
  SearchResponse,
} from "./verbs.ts";
import type { SourceReport, SourceWarning } from "./sources.ts";

/**
 * One place rows are read from. This gateway and a peer look alike, so blending knows neither.
 * Rejects with a Problem; `signal` aborts what is still under way at the deadline.
 */
export interface Source {
  /** `local` or `federated:<peer>`. */
  readonly name: string;
  /** What a list's position in it is kept under, `local` or {@link peerPlace}: no other source ever has the same. */
  readonly place: string;
  /** Told with every report on it, whether it answers or not. */
  readonly warning?: SourceWarning;
  list(request: ListRequest, signal: AbortSignal): Promise<ListResponse>;
  get(request: GetRequest, signal: AbortSignal): Promise<GetResponse>;
  search(request: SearchRequest, signal: AbortSignal): Promise<SourceFound>;
  capabilities(signal: AbortSignal): Promise<CapabilitiesResponse | LocalCapabilities>;
}

/** What a search of one source found. */
export interface SourceFound extends SearchResponse {
  /** What there is to say of this search, in words of this gateway. */
  readonly warning?: SourceWarning;
}

/** What this gateway offers its own user. */
export interface LocalCapabilities {
  readonly resources: readonly {
    readonly name: string;
    readonly verbs: readonly string[];
    readonly filters: readonly string[];
  }[];
}

/** Where each source stands in a list, by its `place`: the id of its last row given; null: it has no more. Absent: from its newest. */
export type Positions = Readonly<Record<string, string | null>>;

/** A page of a list over one or more sources. */
export interface ListAnswer {
  /** A JSON array of rows, newest first, each tagged `_source`. */
  readonly rowsJson: string;
  /** Where the next page starts; undefined: every source that answered has been given to its end. */
  readonly next: Positions | undefined;
  /** Set when `next` is not and a source failed: asking again from here gets what it still owes. */
  readonly retry: Positions | undefined;
  /** Whether a source that was asked did not answer, or one that owes rows cannot be asked any more. */
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
}

/** One row, or undefined when no source that answered has it. */
export interface GetAnswer {
  readonly rowJson: string | undefined;
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
}

/** What a search found over one or more sources. */
export interface SearchAnswer {
  /** A JSON array of `{"resource", "row", "snippet"}`, best first, each row tagged `_source`. */
  readonly rowsJson: string;
  /** Whether a source that answered found more than is here. */
  readonly more: boolean;
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
}

export interface CapabilitiesAnswer {
  readonly capabilities: Readonly<Record<string, CapabilitiesResponse | LocalCapabilities>>;
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
}

export interface ListRead {
  /** As the caller wrote it: `local`, `all`, `federated:<peer>`. */
  readonly source: string;
  readonly resource: string;
  readonly limit: number;
  readonly filters: Readonly<Record<string, string>>;
  readonly positions: Positions | undefined;
}

export interface SearchRead {
  /** As the caller wrote it: `local`, `all`, `federated:<peer>`. */
  readonly source: string;
  readonly query: string;
  /** Names of resources; undefined: all that are searched. */
  readonly resources: readonly string[] | undefined;
  readonly team: string | undefined;
  readonly limit: number;
}

/** Reads as a user, over one source or several. What REST and MCP ask; both tiers of it answer alike. */
export interface Reader {
  /** @throws Problem `unknown_source`, and what the one source asked refuses with, when only one was asked */
  list(userId: string, read: ListRead): Promise<ListAnswer>;
  get(
    userId: string,
    read: { readonly source: string; readonly resource: string; readonly id: string },
  ): Promise<GetAnswer>;
  /** Never cached, by any source. @throws as `list` */
  search(userId: string, read: SearchRead): Promise<SearchAnswer>;
  capabilities(userId: string, source: string): Promise<CapabilitiesAnswer>;
}
