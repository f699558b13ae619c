import { schema } from "@mosaicstack/storage";
import { z } from "zod";
import { ownedFields, type ResourceDefinition, writing } from "../definition.ts";
import { field, text, title } from "../field.ts";

export const notes: ResourceDefinition = {
  name: "notes",
  singular: "note",
  description: "Markdown documents. A list carries an excerpt; get carries the whole body.",
  from: { table: "notes", space: "space_id" },
  fields: {
    ...ownedFields,
    title: field("r.title", z.string(), { federates: true }),
    excerpt: field("left(r.body, 200)", z.string(), { in: "list", federates: true }),
    body: field("r.body", z.string(), { in: "get", federates: true }),
  },
  filters: { key: { column: "key", schema: text(512) } },
  search: { title: "title", text: "body", trigrams: true, embeds: true },
  writing: writing(schema.notes, {
    title: title(500),
    body: text(1_000_000).optional(),
  }),
};
