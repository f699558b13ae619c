import type { schema } from "@mosaicstack/storage";
import { z } from "zod";
import { type Field, field, instantField, json, key, properties } from "./field.ts";

/** The tables whose rows people and agents write. */
export type WritableTable =
  | typeof schema.tasks
  | typeof schema.notes
  | typeof schema.memories
  | typeof schema.credentials;

/** How rows of a resource come to be. Keys of the schemas are the API's (snake_case); values fit the table's columns. */
export interface Writing {
  readonly table: WritableTable;
  /** Validates a creation's own fields. Those every resource has (`team_id`, `key`, `properties`) are added. */
  readonly create: z.ZodObject;
  /** Validates an edit: any subset of a creation's fields; a row stays in its space. */
  readonly update: z.ZodObject;
  /** Members that are stored sealed: the API's name, and the column it is sealed into. */
  readonly sealed: Readonly<Record<string, string>>;
}

/**
 * A resource, defined once. Lists, gets, capabilities, REST routes, OpenAPI and MCP tools follow from the definition.
 */
export interface ResourceDefinition {
  /** The name in URLs, scopes and on the wire: `tasks`. */
  readonly name: string;
  /** One row's name: `task`. */
  readonly singular: string;
  readonly description: string;
  /** The SQL table, and the column that says which space a row lives in. */
  readonly from: { readonly table: string; readonly space: string };
  readonly fields: Readonly<Record<string, Field>>;
  /** Exact-match filters of a list: the API's name, its column, and what values it takes. */
  readonly filters: Readonly<Record<string, { readonly column: string; readonly schema: z.ZodType<string> }>>;
  /** How rows are searched; the table's `search_document` holds the words of the same columns. Absent: they are not. */
  readonly search?: Searching;
  /** Absent: rows are not written through the registry. */
  readonly writing?: Writing;
}

/** The columns a search reads. Only those of fields that federate: a snippet is cut from them. */
export interface Searching {
  /** What a row is called. */
  readonly title: string;
  /** What more there is of it. Absent: the title is all. */
  readonly text?: string;
  /** Whether the title has a trigram index, so that misspelt words find it. */
  readonly trigrams: boolean;
  /** Whether title and text are handed to an embedding provider, where one is configured: somebody else's machine. */
  readonly embeds: boolean;
}

/** A resource whose rows are searched. */
export type SearchableResource = ResourceDefinition & { readonly search: Searching };

const nullableId = z.uuid().nullable();

/** The fields of every row that lives in a space. */
export const ownedFields = {
  id: field("r.id", z.uuid(), { federates: true }),
  key: field("r.key", z.string().nullable(), { federates: true }),
  owner: field("(select u.name from users u where u.id = r.owner_id)", z.string().nullable(), { federates: true }),
  owner_id: field("r.owner_id", nullableId, { federates: true }),
  team: field("(select t.name from teams t where t.id = r.team_id)", z.string().nullable(), { federates: true }),
  team_id: field("r.team_id", nullableId, { federates: true }),
  properties: field("r.properties", z.record(z.string(), json), { federates: true }),
  created_at: instantField("created_at", { federates: true }),
  updated_at: instantField("updated_at", { federates: true }),
} as const;

/** Builds the create and update schemas of a resource from its own fields. Unknown members are refused. */
export function writing(table: WritableTable, own: z.ZodRawShape, sealed: Writing["sealed"] = {}): Writing {
  const shared = { key: key.nullable().optional(), properties: properties.optional() };
  const update = z.strictObject({ ...own, ...shared }).partial();
  const create = z.strictObject({
    ...own,
    ...shared,
    team_id: z.uuid().nullable().optional().describe("The team the row belongs to; absent or null: personal"),
  });
  return { table, create, update, sealed };
}

/** The JSON shape of a row, from the fields an answer carries. */
export function rowSchema(definition: ResourceDefinition, answer: "list" | "get"): z.ZodObject {
  const shape: Record<string, z.ZodType> = {};
  for (const [name, { in: where, schema: fieldSchema }] of Object.entries(definition.fields)) {
    if (where === "both" || where === answer) shape[name] = fieldSchema;
  }
  return z.object(shape);
}
