import { fileURLToPath } from "node:url";
import { type MigrationConfig, readMigrationFiles } from "drizzle-orm/migrator";
import { problem } from "./problems.ts";
import type { ReadStore } from "./store.ts";

/** Migrations that are applied in one order and remembered in one journal, a table of the schema `drizzle`. */
export interface MigrationSet {
  /** Holds the SQL files, and their own journal in `meta/`. */
  readonly directory: string;
  /** The journal's table. */
  readonly journal: string;
}

/** The SQL files and their journal: beside this file in the sources, beside the chunk when bundled. */
export const migrationsDirectory = fileURLToPath(new URL("./migrations/", import.meta.url));

/** What every tier has. */
const ORDINARY: MigrationSet = { directory: migrationsDirectory, journal: "__drizzle_migrations" };

/** What needs the vector extension, which must be there before (docs/adr/0005). */
const VECTOR: MigrationSet = {
  directory: fileURLToPath(new URL("./vector-migrations/", import.meta.url)),
  journal: "__vector_migrations",
};

/** The second wall around what peers read, which needs a role of the server, there before (docs/adr/0007). Written by hand. */
const PEER_READER: MigrationSet = {
  directory: fileURLToPath(new URL("./peer-reader-migrations/", import.meta.url)),
  journal: "__peer_reader_migrations",
};

/**
 * The sets of a database, in the order they are applied.
 * @param vector whether it's a federated gateway's, which has vectors and is read by peers
 */
export function migrationSets({ vector }: { readonly vector: boolean }): readonly MigrationSet[] {
  return vector ? [ORDINARY, VECTOR, PEER_READER] : [ORDINARY];
}

/** Which migrations a database has: none at all, some, all this program knows, or one it doesn't know. */
export type MigrationState = "none" | "behind" | "current" | "newer";

/** Reads how far a database is, and writes nothing. */
export async function migrationState(
  sets: readonly MigrationSet[],
  query: ReadStore["query"],
): Promise<MigrationState> {
  const states = await statesOf(sets, query);
  if (states.includes("newer")) return "newer";
  if (states.every((state) => state === "current")) return "current";
  return states.every((state) => state === "none") ? "none" : "behind";
}

async function statesOf(sets: readonly MigrationSet[], query: ReadStore["query"]): Promise<readonly MigrationState[]> {
  const states: MigrationState[] = [];
  for (const set of sets) states.push(await stateOf(set, query));
  return states;
}

async function stateOf({ directory, journal }: MigrationSet, query: ReadStore["query"]): Promise<MigrationState> {
  const [table] = await query<{ name: string | null }>(`select to_regclass('drizzle.${journal}')::text as name`, []);
  if (table === undefined || table.name === null) return "none";
  const [row] = await query<{ newest: string | null }>(
    `select max(created_at)::text as newest from drizzle.${journal}`,
    [],
  );
  if (row === undefined || row.newest === null) return "none";
  const applied = Number(row.newest);
  const known = newestOf(directory);
  if (applied > known) return "newer";
  return applied === known ? "current" : "behind";
}

const newestKnown = new Map<string, number>();

function newestOf(directory: string): number {
  const read = (): number =>
    Math.max(...readMigrationFiles({ migrationsFolder: directory }).map(({ folderMillis }) => folderMillis));
  const newest = newestKnown.get(directory) ?? read();
  newestKnown.set(directory, newest);
  return newest;
}

/**
 * Applies what the database lacks of one set after the other, each set in one transaction, with drizzle's own migrator.
 *
 * @param migrator drizzle's `migrate` of the engine, bound to a connection nobody else migrates from meanwhile.
 * @throws Problem database_newer: an older program on a newer schema would write rows the newer one can't read. Nothing
 *   is changed then.
 */
export async function migrate(
  sets: readonly MigrationSet[],
  migrator: (config: MigrationConfig) => Promise<void>,
  query: ReadStore["query"],
): Promise<void> {
  const states = await statesOf(sets, query);
  if (states.includes("newer")) throw problem("database_newer");
  for (const [index, { directory, journal }] of sets.entries()) {
    // Drizzle's migrator creates its schema and journal first, which takes a right even where they are there.
    if (states[index] === "current") continue;
    await migrator({ migrationsFolder: directory, migrationsTable: journal });
  }
}
