import { parseInput } from "@mosaicstack/resources";
import type { FastifySchemaCompiler } from "fastify";
import type { z } from "zod";

/**
 * Validates each part of a request by its zod schema. What it refuses is `invalid_input` with the path to the fault, in
 * the same words as what the writer refuses.
 */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (part: unknown) => {
    try {
      return { value: parseInput(schema, part) };
    } catch (error) {
      return { error: error as Error };
    }
  };

/** For routes whose body the writer validates by the same schema: imports and agents' tools are held to it there too. */
export const bodyAsSent: FastifySchemaCompiler<z.ZodType> = (route) =>
  route.httpPart === "body" ? (value: unknown) => ({ value }) : validatorCompiler(route);
