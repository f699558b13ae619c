import { isId } from "@mosaicstack/foundation";
import { z } from "zod";
import { firstFault } from "./first-fault.ts";
import { federationProblem } from "./problems.ts";

/** The most rows one answer may carry, whatever a scope says. */
export const MAX_ROWS = 1000;
const DEFAULT_ROWS = 200;

/** What a grant lets its peer read. Nothing is included that is not named. */
export interface Scope {
  /** Resources that may be read. */
  readonly resources: readonly string[];
  /** Resources that may not, whatever `resources` says. */
  readonly excludedResources: readonly string[];
  /** Teams whose rows are included, of those the subject belongs to. `all` follows the subject's memberships. */
  readonly includeTeams: "all" | readonly string[];
  /** Whether the subject's personal rows are included. */
  readonly includePersonal: boolean;
  /** The most rows one query answers with. */
  readonly maxRowsPerQuery: number;
}

type ScopeSchema = ReturnType<typeof makeScopeSchema>;
const schemas = new WeakMap<readonly string[], ScopeSchema>();

/** The schema for a registry's resources, made once a list: making it takes longer than answering a query does. */
function scopeSchema(resourceNames: readonly string[]): ScopeSchema {
  const known = schemas.get(resourceNames);
  if (known !== undefined) return known;
  const schema = makeScopeSchema(resourceNames);
  schemas.set(resourceNames, schema);
  return schema;
}

function makeScopeSchema(resourceNames: readonly string[]) {
  const resource = z
    .string()
    .max(64)
    .refine((name) => resourceNames.includes(name), {
      error: ({ input }) => `unknown resource ${JSON.stringify(input)}; there are ${resourceNames.join(", ")}`,
    });
  const team = z.string().refine(isId, "must be a UUID in lower case");
  return z
    .strictObject({
      resources: z.array(resource).min(1, "names no resource").max(50),
      excluded_resources: z.array(resource).max(50).default([]),
      include_teams: z
        .union([z.literal("all"), z.array(team).max(500)], { error: 'must be "all" or a list of at most 500 team ids' })
        .default([]),
      include_personal: z.boolean().default(false),
      max_rows_per_query: z.int().min(1).max(MAX_ROWS).default(DEFAULT_ROWS),
    })
    .refine((scope) => scope.include_personal || scope.include_teams.length > 0, {
      path: ["include_personal"],
      message: "exposes no rows: include personal rows or at least one team",
    })
    .refine((scope) => scope.resources.some((name) => !scope.excluded_resources.includes(name)), {
      path: ["excluded_resources"],
      message: "excludes every resource the scope names",
    });
}

/** A scope as it is stored and sent: snake_case, every member present. */
export type ScopeJson = z.output<ScopeSchema>;

/** The JSON Schema of a scope's input, for OpenAPI and the CLI. */
export function scopeInputSchema(resourceNames: readonly string[]): z.ZodType<ScopeJson> {
  return scopeSchema(resourceNames);
}

/**
 * Validates a scope from outside.
 * @param resourceNames what resources exist: the registry's one list, since the schema is kept by it
 * @throws Problem `scope_invalid` with the path to the fault
 */
export function parseScope(input: unknown, resourceNames: readonly string[]): ScopeJson {
  const result = scopeSchema(resourceNames).safeParse(input);
  if (result.success) return result.data;
  const { path, detail } = firstFault(result.error, "scope");
  throw federationProblem("scope_invalid", { detail, extensions: { path } });
}

/**
 * The scope of a stored grant. Anything the present schema does not know is our own fault and nothing is read, never a
 * wider scope and never the peer's mistake.
 * @throws Error
 */
export function scopeOf(stored: unknown, resourceNames: readonly string[]): Scope {
  let json: ScopeJson;
  try {
    json = parseScope(stored, resourceNames);
  } catch (cause) {
    throw new Error("a stored scope is not valid", { cause });
  }
  return {
    resources: json.resources,
    excludedResources: json.excluded_resources,
    includeTeams: json.include_teams,
    includePersonal: json.include_personal,
    maxRowsPerQuery: json.max_rows_per_query,
  };
}

/** Whether a scope lets a resource be read: named, and not excluded. */
export function covers(scope: Scope, resource: string): boolean {
  return scope.resources.includes(resource) && !scope.excludedResources.includes(resource);
}
