import { parseInput, registry, type ResourceDefinition, type Writer } from "@mosaicstack/resources";
import { z } from "zod";
import { writtenOutput } from "./answer-schemas.ts";
import { type AgentRow, writtenText } from "./answer-text.ts";
import { defineTool, type Tool } from "./tool.ts";

/** What agents may write. Not credentials: a secret would pass through the model and its transcript. */
const WRITTEN_BY_AGENTS: readonly string[] = ["tasks", "notes", "memory"];

const id = z.string().describe("The row's id. It must be a row of this gateway: rows of others can only be read");

function addTool(definition: ResourceDefinition, input: z.ZodObject, writer: Writer): Tool {
  const { singular, description } = definition;
  return defineTool({
    name: `add_${singular}`,
    title: `Add a ${singular}`,
    description: `Adds a ${singular} to this gateway, to the user's own or, with \`team_id\`, to a team's. (${description}) With a \`key\`, adding the same thing again is refused with key_taken instead of making a second one.`,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    input,
    output: writtenOutput(definition),
    async call(given, userId) {
      const created = await writer.create(definition, userId, given);
      const row = JSON.parse(created.json) as AgentRow;
      return { structured: { row }, text: writtenText(`Added ${singular} ${row.id}.`, row) };
    },
  });
}

function updateTool(definition: ResourceDefinition, input: z.ZodObject, writer: Writer): Tool {
  const { singular } = definition;
  return defineTool({
    name: `update_${singular}`,
    title: `Change a ${singular}`,
    description: `Changes the members you give of one ${singular} and leaves the others as they are; the old values are gone. \`properties\` is replaced as a whole. To change part of a long text, get the row first and send the text whole.`,
    // Again with the same arguments, it moves `updated_at` and nothing else.
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input: input.extend({ id }),
    output: writtenOutput(definition),
    async call(given, userId) {
      const { id: rowId, ...changes } = parseInput(z.looseObject({ id: z.string() }), given);
      const row = JSON.parse(await writer.update(definition, userId, rowId, changes)) as AgentRow;
      return { structured: { row }, text: writtenText(`Changed ${singular} ${row.id}.`, row) };
    },
  });
}

/** The tools that write. The writer validates what they are given, by the schemas they are listed with. */
export function writeTools(writer: Writer): readonly Tool[] {
  return registry.flatMap((definition) => {
    const { name, writing } = definition;
    if (writing === undefined || !WRITTEN_BY_AGENTS.includes(name)) return [];
    return [addTool(definition, writing.create, writer), updateTool(definition, writing.update, writer)];
  });
}
