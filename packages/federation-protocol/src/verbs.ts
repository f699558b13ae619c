import { isId } from "@mosaicstack/foundation";
import { z } from "zod";
import { firstFault } from "./first-fault.ts";
import { federationProblem } from "./problems.ts";
import { MAX_ROWS } from "./scope.ts";

/** The version of the wire contract. A gateway that asks under another path gets 404 `verb_unknown`. */
export const PROTOCOL_VERSION = 1;

export const verbs = ["list", "get", "search", "capabilities"] as const;
export type Verb = (typeof verbs)[number];

/** Where a verb is asked for, by POST with a JSON body: no query ever stands in a URL or an access log. */
export function verbPath(verb: Verb): string {
  return `/federation/v${PROTOCOL_VERSION}/${verb}`;
}

/** The most bytes a request may have. */
export const MAX_REQUEST_BYTES = 65_536;

/** The most bytes an answer may have that is a page: where more were asked for, it is cut to rows that fit. */
export const MAX_PAGE_BYTES = 1024 * 1024;
/** And one that is a whole row, which can't be cut. */
export const MAX_ROW_BYTES = 8 * 1024 * 1024;

/** The most bytes an answer may have, a refusal too. */
export function maxResponseBytes(verb: Verb): number {
  return verb === "get" ? MAX_ROW_BYTES : MAX_PAGE_BYTES;
}

const id = z.string().refine(isId, "must be a UUID in lower case");
const resource = z.string().min(1).max(64);

export const listRequestSchema = z.strictObject({
  resource,
  limit: z.int().min(1).max(MAX_ROWS),
  /** The id of the last row seen; absent: from the newest. */
  before: id.optional(),
  filters: z.record(z.string().max(64), z.string().max(512)).optional(),
});
export type ListRequest = z.infer<typeof listRequestSchema>;

export const getRequestSchema = z.strictObject({ resource, id });
export type GetRequest = z.infer<typeof getRequestSchema>;

/** The longest query, in UTF-16 units, and the most rows a search answers with. */
export const MAX_QUERY_LENGTH = 512;
export const MAX_SEARCH_ROWS = 100;
/** The longest snippet, in UTF-16 units: the serving side's 200 characters, with room for those of two units. */
const MAX_SNIPPET_LENGTH = 400;

export const searchRequestSchema = z.strictObject({
  query: z
    .string()
    .max(MAX_QUERY_LENGTH)
    .refine((text) => text.trim() !== "", "must not be blank")
    .refine((text) => !text.includes("\0") && text.isWellFormed(), "has a character that cannot be searched for"),
  /** Absent: every resource within the grant. One outside it is refused. */
  resources: z.array(resource).min(1).max(50).optional(),
  limit: z.int().min(1).max(MAX_SEARCH_ROWS),
  /** A team's id, or `personal`: only those rows. */
  team: z.string().max(64).optional(),
});
export type SearchRequest = z.infer<typeof searchRequestSchema>;

export const capabilitiesRequestSchema = z.strictObject({});

/** A row as it crosses the wire: at least an id; the rest is the serving side's projection. */
export interface Row {
  readonly id: string;
  readonly [member: string]: unknown;
}

/** By hand: a schema of objects copies each row, which took as long as reading the JSON of the whole answer. */
const rowSchema = z.custom<Row>(isRow, "must be a row with an id");

function isRow(value: unknown): value is Row {
  if (typeof value !== "object" || value === null || Object.hasOwn(value, "__proto__")) return false;
  return "id" in value && typeof value.id === "string" && isId(value.id);
}

export const listResponseSchema = z.object({
  rows: z.array(rowSchema).max(MAX_ROWS),
  /** Whether rows follow the last one. */
  more: z.boolean(),
  /** The limit that was used: less than asked for where the scope caps it. */
  limit: z.int().min(1),
});
export type ListResponse = z.infer<typeof listResponseSchema>;

export const getResponseSchema = z.object({ row: rowSchema });
export type GetResponse = z.infer<typeof getResponseSchema>;

export const searchResponseSchema = z.object({
  /** Best first. */
  rows: z
    .array(
      z.object({
        resource,
        row: rowSchema,
        snippet: z.string().max(MAX_SNIPPET_LENGTH),
        /** How well the row matches, by the row and the query alone. A peer that gives none is ranked by its places. */
        score: z.number().min(0).max(100).optional(),
      }),
    )
    .max(MAX_SEARCH_ROWS),
  /** Whether more was found. */
  more: z.boolean(),
  limit: z.int().min(1),
  /** Whether a source that searches by meaning too could not this time. Absent: it did, or never does. */
  words_only: z.boolean().optional(),
});
export type SearchResponse = z.infer<typeof searchResponseSchema>;

export const capabilitiesResponseSchema = z.object({
  protocol: z.int(),
  grant: z.object({ id, name: z.string(), expires_at: z.string().nullable() }),
  subject: z.object({ id, name: z.string() }),
  resources: z.array(z.object({ name: z.string(), verbs: z.array(z.string()), filters: z.array(z.string()) })),
  max_rows_per_query: z.int(),
  /** How often the peer may ask, and how many of its requests may be under way at once: beyond, 429. */
  requests_per_minute: z.int().min(1),
  concurrent_requests: z.int().min(1),
  include_personal: z.boolean(),
  include_teams: z.union([z.literal("all"), z.array(z.string())]),
});
export type CapabilitiesResponse = z.infer<typeof capabilitiesResponseSchema>;

/** A refusal on the wire; anything else with an error status is not this protocol's. It is its code that counts, whatever its words are. */
export const problemResponseSchema = z.looseObject({
  code: z.string().max(64),
  status: z.int(),
  /** Empty where it says nothing. */
  detail: z.string().catch(""),
});

/** Validates a request's body. @throws Problem `request_malformed` with the path to the fault. */
export function parseRequest<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const { path, detail } = firstFault(result.error, "body");
  throw federationProblem("request_malformed", { detail, extensions: { path } });
}
