import { registry, type ResourceDefinition, resourceNames, rowSchema, searchable } from "@mosaicstack/resources";
import { z } from "zod";
import { capabilitiesAnswer, getAnswer, listAnswer, searchAnswer } from "../http/answers.ts";
import { LOCAL_SOURCE } from "../reading/local-reader.ts";

/** Which resource and which source were asked: an agent that left `source` out learns what it got. */
const asked = {
  resource: z.enum(resourceNames),
  source: z.string().describe("The source that was asked"),
};

const note = z.string().optional().describe("How to take text that comes from another gateway");

/** A row of this gateway. */
function localRow(definition: ResourceDefinition, answer: "list" | "get"): z.ZodObject {
  return rowSchema(definition, answer).extend({ _source: z.literal(LOCAL_SOURCE) });
}

/**
 * A row of a peer: the same resource, with what the peer's version and the grant give of it. Promising more would make a
 * client throw the whole answer away for one row that a peer wrote otherwise.
 */
const remoteRow = z
  .looseObject({ id: z.string(), _source: z.string().regex(/^federated:/) })
  .describe("A row of another gateway: the same members as a local one, as far as it gives them");

function anyRow(answer: "list" | "get"): z.ZodType {
  return z.union([...registry.map((definition) => localRow(definition, answer)), remoteRow]);
}

/** What `list` answers. */
export const listOutput: z.ZodObject = listAnswer(z.object()).extend({ ...asked, rows: z.array(anyRow("list")), note });

/** What `get` answers. */
export const getOutput: z.ZodObject = getAnswer(z.object()).extend({ ...asked, row: anyRow("get"), note });

/** What `search` answers. */
export const searchOutput: z.ZodObject = searchAnswer(
  z.union([...searchable.map((definition) => localRow(definition, "list")), remoteRow]),
).extend({ source: asked.source, note });

/** What `capabilities` answers. */
export const capabilitiesOutput: z.ZodObject = capabilitiesAnswer.extend({ source: asked.source, note });

/** What a tool that writes answers: the row as it now is. */
export function writtenOutput(definition: ResourceDefinition): z.ZodObject {
  return z.object({ row: localRow(definition, "get") });
}
