import { z } from "zod";

/** JSON Schema of an object, as MCP carries it: revision 2025-11-25 reads 2020-12 where no `$schema` says otherwise. */
export interface ObjectSchema {
  readonly type: "object";
  readonly [keyword: string]: unknown;
}

/**
 * The JSON Schema of a zod object, for an agent: what a caller may write, without what is noise to a reader. Members that
 * an answer gains in a later version stay allowed, because clients check answers by the schema they were given.
 *
 * References are left out: "any JSON" is the one schema of ours that refers to itself, and clients that hand schemas to a
 * model refuse recursion. It then reads as what it is, no constraint.
 */
export function objectSchema(schema: z.ZodObject): ObjectSchema {
  const { $schema: _, ...written } = z.toJSONSchema(schema, {
    io: "input",
    override({ jsonSchema }) {
      // A format says it all.
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      delete jsonSchema.propertyNames;
    },
  });
  return JSON.parse(JSON.stringify(written), (keyword, value: unknown) => {
    if (keyword === "$defs") return undefined;
    return typeof value === "object" && value !== null && "$ref" in value ? {} : value;
  }) as ObjectSchema;
}
