import { z } from "zod";
import type { Config } from "./config.ts";
import {
  certificateAuthority,
  database,
  databaseUrl,
  dataDirectory,
  embedded,
  federation,
  http,
  log,
  queueKind,
  queueUrl,
  tier,
} from "./settings.ts";

/** What a configuration can be: a tier, with `federated` in two forms. */
export type Variant = "local" | "standalone" | "federated" | "embedded";

const common = { http: http.prefault({}), log: log.prefault({}) };
const federated = {
  tier: z.literal("federated"),
  certificateAuthority: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("embedded") }),
    z.strictObject({ kind: z.literal("step-ca"), url: z.string(), rootFile: z.string() }),
  ]),
  federation: federation.prefault({}),
  ...common,
};

const bullmqQueue = z.strictObject({
  kind: z.literal("bullmq"),
  host: z.string(),
  port: z.int(),
  database: z.int(),
  username: z.string().exactOptional(),
  tls: z.boolean(),
});

/** Fills in the defaults of one variant and gives the merged settings their type. Throws ZodError: a fault of this package. */
export const completeConfig: Readonly<Record<Variant, (settings: unknown) => Config>> = {
  local: (settings) => z.strictObject({ tier: z.literal("local"), dataDirectory, ...common }).parse(settings),
  standalone: (settings) => z.strictObject({ tier: z.literal("standalone"), database, ...common }).parse(settings),
  federated: (settings) =>
    z
      .strictObject({ ...federated, embedded: z.literal(false).default(false), database, queue: bullmqQueue })
      .parse(settings),
  embedded: (settings) =>
    z
      .strictObject({
        ...federated,
        embedded: z.literal(true),
        dataDirectory,
        queue: z.strictObject({ kind: z.literal("in-process") }).default({ kind: "in-process" }),
      })
      .parse(settings),
};

const inFile = {
  $schema: z.string().describe("Where this schema is, for editors.").optional(),
  http: http.partial().meta({ id: "http", description: "The listener for people and agents." }).optional(),
  log: log.partial().meta({ id: "log", description: "What is written to standard output." }).optional(),
};
const databaseInFile = database
  .extend({ url: databaseUrl })
  .partial()
  .meta({ id: "database", description: "PostgreSQL." });
const federatedInFile = {
  ...inFile,
  certificateAuthority: certificateAuthority
    .partial()
    .meta({ id: "certificateAuthority", description: "Who signs certificates." })
    .optional(),
  federation: federation
    .partial()
    .meta({ id: "federation", description: "The listener for peers, and its limits." })
    .optional(),
};
const described = (value: z.ZodType, description: string | undefined) => value.describe(description ?? "").optional();
const dataDirectoryInFile = dataDirectory.optional();

/** What the file of one variant may hold. Nothing is required: any setting may come from the environment. */
export const fileSchemas = {
  local: z.strictObject({
    tier: described(z.literal("local"), tier.description),
    dataDirectory: dataDirectoryInFile,
    ...inFile,
  }),
  standalone: z.strictObject({
    tier: described(z.enum(["standalone", "team"]), tier.description),
    database: databaseInFile.optional(),
    ...inFile,
  }),
  federated: z.strictObject({
    tier: described(z.literal("federated"), tier.description),
    embedded: described(z.literal(false), embedded.description),
    database: databaseInFile.optional(),
    queue: z
      .strictObject({ kind: queueKind.extract(["bullmq"]).describe(queueKind.description ?? ""), url: queueUrl })
      .partial()
      .optional(),
    ...federatedInFile,
  }),
  embedded: z.strictObject({
    tier: described(z.literal("federated"), tier.description),
    embedded: z.literal(true).describe(embedded.description ?? ""),
    dataDirectory: dataDirectoryInFile,
    queue: z
      .strictObject({ kind: queueKind.extract(["in-process"]).describe(queueKind.description ?? "") })
      .partial()
      .optional(),
    ...federatedInFile,
  }),
} satisfies Readonly<Record<Variant, z.ZodObject>>;

/** The JSON Schema (draft 2020-12) of `mosaic.config.json`, for editors. The gateway itself checks more than a schema can say. */
export function configJsonSchema(): unknown {
  const file = z
    .union([fileSchemas.local, fileSchemas.standalone, fileSchemas.federated, fileSchemas.embedded])
    .meta({ title: "mosaic.config.json", description: "The configuration of a Mosaic gateway. Holds no secret." });
  return z.toJSONSchema(file, { target: "draft-2020-12", io: "input" });
}
