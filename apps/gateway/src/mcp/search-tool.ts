import type { Reader } from "@mosaicstack/federation-protocol";
import { MAX_SEARCH_ROWS, parseInput, queryText } from "@mosaicstack/resources";
import { z } from "zod";
import { clampFound, searchedNames } from "../http/search.ts";
import { searchOutput } from "./answer-schemas.ts";
import { type FoundRow, searchText } from "./answer-text.ts";
import { source, team } from "./read-parameters.ts";
import { fit, fitReports, marked, noteFor } from "./remote-text.ts";
import { visibleText } from "./text-safety.ts";
import { defineTool, type Tool, type ToolAnnotations } from "./tool.ts";

/** As many as an agent is likely to look at. */
const DEFAULT_FOUND = 10;

const input = z.strictObject({
  query: queryText,
  resources: z.array(z.enum(searchedNames)).min(1).optional().describe("Only these resources; all of them when absent"),
  source,
  limit: z.int().min(1).optional().describe(`Rows wanted, ${DEFAULT_FOUND} by default, at most ${MAX_SEARCH_ROWS}`),
  team,
});

/** The tool that finds rows by what they say. */
export function searchTool(reader: Reader, annotations: ToolAnnotations): Tool {
  return defineTool({
    name: "search",
    title: "Search rows",
    description: `Finds tasks, notes, memory and credentials by their words, best first, misspelt titles included; of credentials what they are for, never the secret. Each row comes with a snippet of where the words stand; \`get\` has the whole. Rows of other gateways come with those of this one; \`_source\` says where each is from. When \`partial\` is true, \`sources\` says which source did not answer: tell the user that rows may be missing.`,
    annotations,
    input,
    output: searchOutput,
    async call(given, userId) {
      const { query, resources, source: from, limit, team: of } = parseInput(input, given);
      const page = clampFound(limit ?? DEFAULT_FOUND);
      const answer = await reader.search(userId, { source: from, query, resources, team: of, limit: page.limit });
      const found = (JSON.parse(answer.rowsJson) as FoundRow[]).map(({ resource, row, snippet }) => {
        const fitted = fit(row);
        if (fitted === row) return { resource, row, snippet };
        return { resource: visibleText(resource), row: fitted, snippet: visibleText(snippet) };
      });
      const sources = fitReports(answer.sources);
      const note = noteFor(found.map(({ row }) => row._source));
      const { more, partial } = answer;
      return {
        structured: {
          source: from,
          rows: found,
          more,
          limit: page.limit,
          ...(page.clamped ? { limit_clamped: true } : {}),
          partial,
          sources,
          ...marked(note),
        },
        text: searchText({ source: from, rows: found, more, sources, note }),
      };
    },
  });
}
