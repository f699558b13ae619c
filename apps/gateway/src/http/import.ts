import { resourceNamed } from "@mosaicstack/resources";
import { z } from "zod";
import type { Importer } from "../importing/importer.ts";
import { importedRow } from "../importing/importer.ts";
import { importedPerson } from "../importing/people.ts";
import { refusals } from "./answers.ts";
import type { Routes } from "./server.ts";

const MAX_ROWS = 500;
const MAX_BYTES = 8 * 1024 * 1024;

/** Resources whose rows can be imported. Credentials are not: a file full of secrets should not be on its way anywhere. */
const IMPORTED = ["tasks", "notes", "memory"] as const;

const results = z.object({
  results: z.array(
    z.object({
      index: z.int().describe("The row's place in the request, from 0"),
      key: z.string().nullable(),
      outcome: z.enum(["created", "updated", "unchanged", "failed"]),
      error: z.object({ code: z.string(), detail: z.string(), remedy: z.string() }).optional(),
    }),
  ),
});

const dryRun = z.boolean().default(false).describe("Say what would happen, and change nothing");

/** Each row is judged by itself, so the request takes any; the document says what a row should be. */
function anyOf(row: z.ZodType) {
  return z
    .array(z.unknown().meta(z.toJSONSchema(row, { io: "input", unrepresentable: "any" })))
    .min(1)
    .max(MAX_ROWS);
}

/** Taking in people and rows from elsewhere: idempotent, with a result for every row. */
export function registerImport(app: Routes, importer: Importer): void {
  const tags = ["import"];
  app.post(
    "/api/v1/import/people",
    {
      bodyLimit: MAX_BYTES,
      config: { access: "admin" },
      schema: {
        tags,
        summary: "Import people and their teams",
        body: z.strictObject({
          people: anyOf(importedPerson),
          email_domain: z.hostname().max(200).optional(),
          dry_run: dryRun,
        }),
        response: { 200: results, ...refusals },
      },
    },
    async (request) => {
      const { people, email_domain: emailDomain, dry_run: dry } = request.body;
      return { results: [...(await importer.people({ people, emailDomain, dryRun: dry }))] };
    },
  );
  for (const name of IMPORTED) {
    const definition = resourceNamed(name);
    app.post(
      `/api/v1/import/${name}`,
      {
        bodyLimit: MAX_BYTES,
        config: { access: "user" },
        schema: {
          tags,
          summary: `Import ${name}`,
          body: z.strictObject({ rows: anyOf(importedRow), dry_run: dryRun }),
          response: { 200: results, ...refusals },
        },
      },
      async (request) => {
        const { rows, dry_run: dry } = request.body;
        return { results: [...(await importer.rows(definition, request.principal, { rows, dryRun: dry }))] };
      },
    );
  }
}
