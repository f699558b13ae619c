import {
  federationProblem,
  type ListRequest,
  listRequestSchema,
  MAX_PAGE_BYTES,
} from "@mosaicstack/federation-protocol";
import { listRows, narrowTo, type ResourceDefinition } from "@mosaicstack/resources";
import { coveredResource, visibilityOf } from "../stages/reach.ts";
import { servingVerb, type VerbAnswer } from "./serving-verb.ts";

/** `list`: a page of rows, newest first, as the database built its JSON. */
export const list = servingVerb({
  schema: listRequestSchema,
  plan(request, { grant, scope, maxRowsPerQuery }) {
    const definition = coveredResource(scope, request.resource);
    const { team, ...own } = request.filters ?? {};
    requireFilters(definition, own);
    const visibility = narrowTo(visibilityOf(grant.subjectUserId, scope), team);
    const limit = Math.min(request.limit, scope.maxRowsPerQuery, maxRowsPerQuery);
    return {
      kind: "with rows",
      resources: [definition],
      answer: (read) =>
        pageThatFits(limit, async (rows) => {
          const query = { limit: rows, before: request.before, filters: own };
          const page = await listRows(read.last, definition, visibility, query, "federated");
          return { rows: page.count, json: `{"rows":${page.json},"more":${page.more},"limit":${limit}}` };
        }),
    };
  },
});

/** @throws Problem `request_malformed` with the path to a filter that there is not, or a value that it cannot have */
function requireFilters(definition: ResourceDefinition, filters: NonNullable<ListRequest["filters"]>): void {
  for (const [name, value] of Object.entries(filters)) {
    const filter = Object.hasOwn(definition.filters, name) ? definition.filters[name] : undefined;
    if (filter?.schema.safeParse(value).success !== true) {
      const path = `filters.${name}`;
      throw federationProblem("request_malformed", { detail: "No such filter, or value of it.", extensions: { path } });
    }
  }
}

/**
 * The page of as many rows, or where its answer would be too large, of as many as fit: `more` says then that others follow, and
 * the next page begins with them. Each try is let go of before the next is made. One row that does not fit is left to whoever
 * sends it to refuse.
 */
export async function pageThatFits(
  limit: number,
  pageOf: (rows: number) => Promise<VerbAnswer>,
  maxBytes = MAX_PAGE_BYTES,
): Promise<VerbAnswer> {
  let rows = limit;
  while (true) {
    const page = await pageOf(rows);
    const bytes = Buffer.byteLength(page.json);
    if (bytes <= maxBytes || page.rows <= 1) return page;
    rows = rowsThatFit(page.rows, bytes, maxBytes);
  }
}

/** Somewhat fewer than the average row's size says, and always fewer than there were. */
function rowsThatFit(rows: number, bytes: number, maxBytes: number): number {
  return Math.max(1, Math.min(rows - 1, Math.floor((rows * maxBytes * 0.9) / bytes)));
}
