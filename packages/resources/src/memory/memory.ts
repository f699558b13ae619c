import { schema } from "@mosaicstack/storage";
import { z } from "zod";
import { ownedFields, type ResourceDefinition, writing } from "../definition.ts";
import { field, text } from "../field.ts";

export const memory: ResourceDefinition = {
  name: "memory",
  singular: "memory",
  description: "Facts an agent should remember, each a short text.",
  from: { table: "memories", space: "space_id" },
  fields: {
    ...ownedFields,
    content: field("r.content", z.string(), { federates: true }),
  },
  filters: { key: { column: "key", schema: text(512) } },
  search: { title: "content", trigrams: false, embeds: true },
  writing: writing(schema.memories, {
    content: text(20_000).min(1),
  }),
};
