import type { Reader } from "@mosaicstack/federation-protocol";
import { parseInput, registry, type ResourceDefinition, resourceNames, resourceProblem } from "@mosaicstack/resources";
import { z } from "zod";
import { clamp, cursor, MAX_LIMIT } from "../http/parameters.ts";
import { decodeCursor, encodeCursor } from "../reading/cursor.ts";
import { capabilitiesOutput, getOutput, listOutput } from "./answer-schemas.ts";
import { type AgentRow, capabilitiesText, isRemote, listText, rowText } from "./answer-text.ts";
import { filtersOfAll } from "./filters.ts";
import { source, team } from "./read-parameters.ts";
import { fit, fitReports, marked, noteFor } from "./remote-text.ts";
import { searchTool } from "./search-tool.ts";
import { visibleValue } from "./text-safety.ts";
import { defineTool, type Tool, type ToolAnnotations } from "./tool.ts";

/** Fewer than a person's screen of rows: each takes part of the agent's memory. */
const DEFAULT_ROWS = 25;

const resource = z.enum(resourceNames).describe("What to read");
const limit = z.int().min(1).optional().describe(`Rows a page, ${DEFAULT_ROWS} by default, at most ${MAX_LIMIT}`);
const resources = registry.map(({ name, description }) => `${name}: ${description}`).join("\n");

interface ListInput {
  readonly resource: string;
  readonly source: string;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** What a list of one resource takes, its own filters among it. Those of another are refused rather than ignored. */
function listInputOf(definition: ResourceDefinition): z.ZodType<ListInput> {
  const filters = Object.entries(definition.filters).map(([name, filter]) => [name, filter.schema.optional()] as const);
  const shape = { resource: z.literal(definition.name), source, limit, cursor, team };
  return z.strictObject({ ...Object.fromEntries(filters), ...shape });
}

const listInputs: ReadonlyMap<string, z.ZodType<ListInput>> = new Map(
  registry.map((definition) => [definition.name, listInputOf(definition)]),
);

function listTool(reader: Reader, annotations: ToolAnnotations): Tool {
  return defineTool({
    name: "list",
    title: "List rows",
    description: `Lists rows of one resource, newest first, a page at a time: tasks, notes, memory, credentials or teams.
${resources}
Rows of other gateways come with those of this one; \`_source\` says where each is from. While \`next_cursor\` is not null, call again with it as \`cursor\` and otherwise the same arguments. When \`partial\` is true, \`sources\` says which source did not answer: tell the user that rows may be missing.`,
    annotations,
    input: z.strictObject({ resource, source, limit, cursor, team, ...filtersOfAll() }),
    output: listOutput,
    async call(input, userId) {
      const asked = parseInput(z.looseObject({ resource }), input);
      const wanted = parseInput(listInputs.get(asked.resource) as z.ZodType<ListInput>, input);
      const { resource: name, source: from, limit: rowsWanted, cursor: position, ...filters } = wanted;
      const page = clamp(rowsWanted ?? DEFAULT_ROWS);
      const answer = await reader.list(userId, {
        source: from,
        resource: name,
        limit: page.limit,
        filters,
        positions: position === undefined ? undefined : decodeCursor(position),
      });
      const rows = (JSON.parse(answer.rowsJson) as AgentRow[]).map(fit);
      const sources = fitReports(answer.sources);
      const nextCursor = answer.next === undefined ? null : encodeCursor(answer.next);
      const note = noteFor(rows.map(({ _source }) => _source));
      const of = { resource: name, source: from };
      return {
        structured: {
          ...of,
          rows,
          next_cursor: nextCursor,
          ...(answer.retry === undefined ? {} : { retry_cursor: encodeCursor(answer.retry) }),
          limit: page.limit,
          ...(page.clamped ? { limit_clamped: true } : {}),
          partial: answer.partial,
          sources,
          ...marked(note),
        },
        text: listText({ ...of, rows, sources, nextCursor, note }),
      };
    },
  });
}

const getInput = z.strictObject({ resource, id: z.string().describe("The row's id"), source });

function getTool(reader: Reader, annotations: ToolAnnotations): Tool {
  return defineTool({
    name: "get",
    title: "Get one row",
    description: `Gets one row by its id, with what a list leaves out: the body of a note, the description of a task. A credential comes without its secret, which no tool shows.`,
    annotations,
    input: getInput,
    output: getOutput,
    async call(input, userId) {
      const wanted = parseInput(getInput, input);
      const { rowJson, partial, sources: reports } = await reader.get(userId, wanted);
      const sources = fitReports(reports);
      if (rowJson === undefined) {
        throw resourceProblem("not_found", { extensions: { partial, sources } });
      }
      const row = fit(JSON.parse(rowJson) as AgentRow);
      const note = noteFor([row._source]);
      return {
        structured: { resource: wanted.resource, source: wanted.source, row, partial, sources, ...marked(note) },
        text: rowText({ resource: wanted.resource, row, sources, note }),
      };
    },
  });
}

const capabilitiesInput = z.strictObject({ source });

function capabilitiesTool(reader: Reader, annotations: ToolAnnotations): Tool {
  return defineTool({
    name: "capabilities",
    title: "What can be read where",
    description: `Says which sources there are and what each lets you read: its resources and filters, and for another gateway the grant: whose data, which teams, until when. A source's \`warning\` is for the user: what to do, and by when, so that it goes on answering.`,
    annotations,
    input: capabilitiesInput,
    output: capabilitiesOutput,
    async call(input, userId) {
      const { source: from } = parseInput(capabilitiesInput, input);
      const answer = await reader.capabilities(userId, from);
      const sources = fitReports(answer.sources);
      const capabilities = Object.fromEntries(
        Object.entries(answer.capabilities).map(([of, offered]) => [
          of,
          isRemote(of) ? visibleValue(offered) : offered,
        ]),
      );
      const note = noteFor(Object.keys(capabilities));
      return {
        structured: { source: from, capabilities, partial: answer.partial, sources, ...marked(note) },
        text: capabilitiesText({ capabilities, sources, note }),
      };
    },
  });
}

/**
 * The tools that read.
 * @param federated whether answers may hold what other gateways wrote
 */
export function readTools(reader: Reader, federated: boolean): readonly Tool[] {
  const annotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: federated };
  return [
    listTool(reader, annotations),
    searchTool(reader, annotations),
    getTool(reader, annotations),
    capabilitiesTool(reader, annotations),
  ];
}
