import type { z } from "zod";
import { type ObjectSchema, objectSchema } from "./json-schema.ts";

/** What a tool answers: JSON by its output schema, and a short text that says the same to clients that read only text. */
export interface ToolAnswer {
  readonly structured: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** What a tool does to the world, for clients that ask people before some calls. All four are said, none is guessed. */
export interface ToolAnnotations {
  readonly readOnlyHint: boolean;
  /** Whether it may overwrite or delete. */
  readonly destructiveHint: boolean;
  /** Whether the same call again changes nothing further. */
  readonly idempotentHint: boolean;
  /** Whether it may bring in what comes from outside this gateway. */
  readonly openWorldHint: boolean;
}

/** A tool as MCP lists it. */
export interface ToolDescription {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: ObjectSchema;
  readonly outputSchema: ObjectSchema;
  readonly annotations: ToolAnnotations;
}

/** One thing an agent can do. */
export interface Tool {
  readonly description: ToolDescription;
  /**
   * Does it as a user.
   * @param input the arguments as they came
   * @throws Problem `invalid_input` with the path to the fault, and what the reader or writer refuses with
   */
  readonly call: (input: Readonly<Record<string, unknown>>, userId: string) => Promise<ToolAnswer>;
}

/** A tool from its zod schemas. */
export function defineTool(tool: {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  readonly call: Tool["call"];
}): Tool {
  const { input, output, call, ...rest } = tool;
  return { description: { ...rest, inputSchema: objectSchema(input), outputSchema: objectSchema(output) }, call };
}
