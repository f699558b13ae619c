import { credentials } from "./credentials/credentials.ts";
import type { ResourceDefinition } from "./definition.ts";
import { memory } from "./memory/memory.ts";
import { notes } from "./notes/notes.ts";
import { resourceProblem } from "./problems.ts";
import { tasks } from "./tasks/tasks.ts";
import { teams } from "./teams/teams.ts";

/** Every resource there is, in the order people meet them. */
export const registry: readonly ResourceDefinition[] = [tasks, notes, memory, credentials, teams];

export const resourceNames: readonly string[] = registry.map(({ name }) => name);

/** The definition of that name, or undefined. */
export function findResource(name: string): ResourceDefinition | undefined {
  return registry.find((definition) => definition.name === name);
}

/** @throws Problem `unknown_resource` */
export function resourceNamed(name: string): ResourceDefinition {
  const definition = findResource(name);
  if (definition === undefined) throw resourceProblem("unknown_resource");
  return definition;
}
