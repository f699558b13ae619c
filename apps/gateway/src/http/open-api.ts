import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from "fastify-type-provider-zod";

const info = {
  title: "Mosaic gateway",
  version: "1",
  description:
    "Tasks, notes, memory and credentials of people and teams, for agents and people. Errors are application/problem+json (RFC 9457) with a stable `code`; docs/errors.md lists them.",
  license: { name: "Apache-2.0", identifier: "Apache-2.0" },
};

const zodToJsonConfig: NonNullable<Parameters<typeof createJsonSchemaTransform>[0]["zodToJsonConfig"]> = {
  // A format says it all; the pattern zod adds is a line of noise at every id and date.
  override: ({ jsonSchema }) => {
    if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  },
};

interface Document {
  readonly paths?: unknown;
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

const toDocument = createJsonSchemaTransformObject({ zodToJsonConfig });
const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;

/** The schemas that routes refer to, and what those refer to. Zod's registry is one a process, and has others' too. */
function schemasInUse(paths: unknown, schemas: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const used = new Map<string, unknown>();
  const open = [JSON.stringify(paths)];
  for (let text = open.pop(); text !== undefined; text = open.pop()) {
    for (const [, name = ""] of text.matchAll(REFERENCE)) {
      if (used.has(name) || !(name in schemas)) continue;
      used.set(name, schemas[name]);
      open.push(JSON.stringify(schemas[name]));
    }
  }
  return Object.fromEntries([...used].toSorted(([left], [right]) => left.localeCompare(right)));
}

/** How /openapi.json follows from the routes and their zod schemas. */
export const openApiOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: "3.1.0",
    info,
    security: [{ apiKey: [] }, { session: [] }],
    components: {
      securitySchemes: {
        apiKey: { type: "http", scheme: "bearer", description: "An API key, `mosaic_…`" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "mosaic.session_token",
          description: "Over HTTPS: `__Secure-mosaic.session_token`",
        },
      },
    },
  },
  transform: createJsonSchemaTransform({ zodToJsonConfig }),
  transformObject(given) {
    const document = toDocument(given) as Document;
    const schemas = schemasInUse(document.paths, document.components?.schemas ?? {});
    return { ...document, components: { ...document.components, schemas } } as ReturnType<typeof toDocument>;
  },
};
