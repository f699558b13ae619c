/**
 * What a list over both gateways must hold, computed from the imported data alone: none of the product's code takes part.
 */

/** A person as the data has them. */
export interface ModelPerson {
  readonly name: string;
  /** Absent: made from the name. */
  readonly email?: string;
  readonly teams: readonly string[];
}

/** A task or note as the data has it. */
export interface ModelRow {
  readonly key: string;
  /** Absent: a personal row of its owner. */
  readonly team?: string;
  readonly owner: string;
  /** The rest of what is imported: `{title, …}`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly created_at?: string;
  readonly updated_at?: string;
}

export interface ModelData {
  readonly people: readonly ModelPerson[];
  readonly tasks: readonly ModelRow[];
  readonly notes: readonly ModelRow[];
}

export type ModelResource = "tasks" | "notes";

/** A row as a test tells it from every other: its source, its space and its key, which is unique there. */
export function rowName(source: string, space: string | null | undefined, key: string): string {
  return `${source} / ${space ?? "personal"} / ${key}`;
}

/** The rows of the work gateway that a person sees: their personal ones, and all of their teams. */
export function visibleTo(person: ModelPerson, rows: readonly ModelRow[], source: string): string[] {
  const teams = new Set(person.teams);
  return rows
    .filter(({ team, owner }) => (team === undefined ? owner === person.name : teams.has(team)))
    .map(({ team, key }) => rowName(source, team, key));
}
