import type { Reader } from "@mosaicstack/federation-protocol";
import { MAX_SEARCH_ROWS, queryText, rowSchema, searchable } from "@mosaicstack/resources";
import { z } from "zod";
import { refusals, searchAnswer, writtenRow } from "./answers.ts";
import { limit, source } from "./parameters.ts";
import type { Routes } from "./server.ts";

const DEFAULT_FOUND = 20;

/** How many rows a search answers with, and whether that is less than asked for. */
export function clampFound(asked: number | undefined): { readonly limit: number; readonly clamped: boolean } {
  const wanted = asked ?? DEFAULT_FOUND;
  return { limit: Math.min(wanted, MAX_SEARCH_ROWS), clamped: wanted > MAX_SEARCH_ROWS };
}

/** The names of what is searched, for parameters. */
export const searchedNames = searchable.map(({ name }) => name);

const resource = z.enum(searchedNames);

/** Searches all resources at once. */
export function registerSearch(app: Routes, reader: Reader): void {
  app.get(
    "/api/v1/search",
    {
      config: { access: "user" },
      schema: {
        tags: ["search"],
        summary: "Search rows, best first",
        description:
          "Finds rows by their words, misspelt titles included. An answer is ranked anew each time and has no cursor.",
        querystring: z.strictObject({
          q: queryText,
          resource: z
            .union([resource.transform((one) => [one]), z.array(resource).min(1)])
            .optional()
            .describe("Only these resources; may be given several times"),
          source,
          limit: limit.describe(`Rows wanted, ${DEFAULT_FOUND} by default, at most ${MAX_SEARCH_ROWS}`),
          team: z
            .union([z.literal("personal"), z.uuid()])
            .optional()
            .describe("Only this team's rows, or only personal ones"),
        }),
        response: {
          200: searchAnswer(z.union(searchable.map((one) => writtenRow(rowSchema(one, "list"))))),
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const { q, resource: resources, source: from, limit: asked, team } = request.query;
      const page = clampFound(asked);
      const answer = await reader.search(request.principal.userId, {
        source: from,
        query: q,
        resources,
        team,
        limit: page.limit,
      });
      const { rowsJson, more, partial, sources } = answer;
      const clamped = page.clamped ? { limit_clamped: true } : {};
      const rest = JSON.stringify({ more, limit: page.limit, ...clamped, partial, sources });
      return reply.type("application/json; charset=utf-8").send(`{"rows":${rowsJson},${rest.slice(1)}` as never);
    },
  );
}
