import { registry } from "@mosaicstack/resources";
import { z } from "zod";

interface Offer {
  readonly resources: string[];
  readonly schemas: Map<string, z.ZodType<string>>;
}

/**
 * The filters of all resources side by side, for a tool that lists any of them: each says which resources it is for. What
 * one resource takes is its own schema's to judge.
 */
export function filtersOfAll(): Record<string, z.ZodType<string | undefined>> {
  const offers = new Map<string, Offer>();
  for (const { name: resource, filters } of registry) {
    for (const [name, { schema }] of Object.entries(filters)) {
      const offer: Offer = offers.get(name) ?? { resources: [], schemas: new Map() };
      offer.resources.push(resource);
      // Of equal schemas one is enough.
      offer.schemas.set(JSON.stringify(z.toJSONSchema(schema)), schema);
      offers.set(name, offer);
    }
  }
  return Object.fromEntries(
    [...offers].map(([name, { resources, schemas }]) => {
      const [only, ...more] = schemas.values();
      if (only === undefined) throw new Error(`the filter ${name} has no schema`);
      const schema: z.ZodType<string> = more.length === 0 ? only : z.union([only, ...more]);
      return [name, schema.optional().describe(`For ${resources.join(", ")}: only rows with exactly this ${name}`)];
    }),
  );
}
