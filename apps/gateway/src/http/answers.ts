import { z } from "zod";

/** Something about a source that somebody should see to while it answers still (federation-protocol's SourceWarning). */
export const sourceWarning = z.object({ code: z.string(), detail: z.string(), remedy: z.string() });

/** How one source took part in an answer (federation-protocol's SourceReport). */
const sourceReport = z.object({
  source: z.string().describe("`local` or `federated:<peer>`"),
  status: z.enum(["ok", "cached", "timeout", "denied", "revoked", "rate_limited", "offline", "incompatible", "gone"]),
  took_ms: z.number(),
  rows: z.int().describe("Rows of this source in this answer"),
  truncated: z.boolean().describe("Whether the source has more rows than it gave"),
  error: z
    .object({
      code: z.string(),
      detail: z.string(),
      remedy: z.string(),
      retry_after: z.int().optional().describe("Of `rate_limited`: seconds until the source is asked again"),
    })
    .optional(),
  warning: sourceWarning.optional().describe("What somebody should see to while the source answers still"),
});

const completeness = {
  partial: z.boolean().describe("Whether rows of a source are missing; `sources` says which and why"),
  sources: z.array(sourceReport),
};

const nextCursor = z.string().nullable().describe("Where the next page starts; null: this was the last");

/** A row of any source, with where it came from. */
function tagged(row: z.ZodObject): z.ZodObject {
  return row.extend({ _source: z.string().describe("`local` or `federated:<peer>`") });
}

/** A page of a list over one or more sources. */
export function listAnswer(row: z.ZodObject): z.ZodObject {
  return z.object({
    rows: z.array(tagged(row)),
    next_cursor: nextCursor,
    retry_cursor: z.string().optional().describe("Set when a source failed: asking from here gets what it still owes"),
    limit: z.int(),
    limit_clamped: z.literal(true).optional().describe("The limit asked for was above the highest, which `limit` is"),
    ...completeness,
  });
}

/** What a search found over one or more sources. */
export function searchAnswer(row: z.ZodType): z.ZodObject {
  const found = z.object({
    resource: z.string().describe("What the row is: `notes`"),
    row,
    snippet: z.string().describe("Plain text around the words found, at most 200 characters"),
    score: z
      .number()
      .optional()
      .describe("How well the words match: above 1, all of them. Of no meaning across queries"),
  });
  return z.object({
    rows: z.array(found).describe("Best first"),
    more: z.boolean().describe("Whether more was found than is here"),
    limit: z.int(),
    limit_clamped: z.literal(true).optional().describe("The limit asked for was above the highest, which `limit` is"),
    ...completeness,
  });
}

/** One row, and where it was looked for. */
export function getAnswer(row: z.ZodObject): z.ZodObject {
  return z.object({ row: tagged(row), ...completeness });
}

export function writtenRow(row: z.ZodObject): z.ZodObject {
  return tagged(row);
}

export const capabilitiesAnswer = z.object({
  capabilities: z.record(z.string(), z.looseObject({ resources: z.array(z.looseObject({ name: z.string() })) })),
  ...completeness,
});

/** A page of a list that this gateway alone has. */
export function pageOf<Row extends z.ZodType>(row: Row) {
  return z.object({ rows: z.array(row), next_cursor: nextCursor });
}

/** RFC 9457. */
export const problemAnswer = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe("Stable; docs/errors.md lists them"),
    detail: z.string(),
    remedy: z.string(),
    request_id: z.string(),
  })
  .meta({ id: "Problem" });

/** Any refusal, for a route's `response`. */
export const refusals = {
  "4xx": { description: "Refused", content: { "application/problem+json": { schema: problemAnswer } } },
  "5xx": { description: "Failed", content: { "application/problem+json": { schema: problemAnswer } } },
};

export const noContent = z.null().describe("Done");

export const instant = z.iso.datetime();
