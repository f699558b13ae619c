import { schema } from "@mosaicstack/storage";
import { z } from "zod";
import { ownedFields, type ResourceDefinition, writing } from "../definition.ts";
import { field, text, title } from "../field.ts";

/** No field names the secret: what no projection can select, no answer can carry. Reading one is `revealSecret`. */
export const credentials: ResourceDefinition = {
  name: "credentials",
  singular: "credential",
  description: "Secrets, sealed at rest. Answers carry what a credential is for, never the secret.",
  from: { table: "credentials", space: "space_id" },
  fields: {
    ...ownedFields,
    name: field("r.name", z.string(), { federates: true }),
    kind: field("r.kind", z.string(), { federates: true }),
  },
  filters: { key: { column: "key", schema: text(512) } },
  search: { title: "name", text: "kind", trigrams: true, embeds: false },
  writing: writing(
    schema.credentials,
    {
      name: title(200),
      kind: title(100).describe("What sort of secret: api-key, password, token"),
      secret: text(20_000).min(1).describe("Stored sealed; not part of any list or get"),
    },
    { secret: "sealedSecret" },
  ),
};
