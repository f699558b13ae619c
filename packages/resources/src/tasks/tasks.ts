import { schema } from "@mosaicstack/storage";
import { z } from "zod";
import { ownedFields, type ResourceDefinition, writing } from "../definition.ts";
import { field, instant, instantField, text, title } from "../field.ts";

const status = z.enum(schema.taskStatus.enumValues);

export const tasks: ResourceDefinition = {
  name: "tasks",
  singular: "task",
  description: "Things to do, with a status.",
  from: { table: "tasks", space: "space_id" },
  fields: {
    ...ownedFields,
    title: field("r.title", z.string(), { federates: true }),
    status: field("r.status", status, { federates: true }),
    due_at: instantField("due_at", { nullable: true, federates: true }),
    description: field("r.description", z.string(), { in: "get", federates: true }),
  },
  filters: { status: { column: "status", schema: status }, key: { column: "key", schema: text(512) } },
  search: { title: "title", text: "description", trigrams: true, embeds: true },
  writing: writing(schema.tasks, {
    title: title(500),
    description: text(100_000).optional(),
    status: status.optional(),
    due_at: instant.nullable().optional(),
  }),
};
