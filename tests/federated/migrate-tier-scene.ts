import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  migrateTier,
  type MigrationPlan,
  type MigrationSource,
  makePgliteSnapshot,
  openMigrationTarget,
  openPglite,
  openPgliteSource,
  planMigration,
  type PostgresAddress,
  type Store,
  type TableResult,
} from "@mosaicstack/storage";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";
import { seedEveryTable } from "./migrate-tier-seed.ts";

/** Every table that moves, as this test has it, and the columns its rows are put in order by. */
export const MOVED: Readonly<Record<string, string>> = {
  users: "id",
  accounts: "id",
  api_keys: "id",
  teams: "id",
  team_members: "user_id, team_id",
  tasks: "id",
  notes: "id",
  memories: "id",
  credentials: "id",
  certificate_authorities: "id",
  federation_grants: "id",
  federation_grant_scopes: "id",
  federation_certificates: "serial",
  federation_revocations: "serial",
  federation_audit_log: "id",
  federation_audit_chain: "id",
  federation_peers: "id",
};

export const STAYING = ["sessions", "verifications", "federation_enrollment_tokens", "idempotency_keys"] as const;

/** A folder that holds an embedded federated gateway's data, every table filled. Copies are cheap; each test has one. */
export interface Seeded {
  readonly folder: string;
  /** A data directory of a gateway, with the rows in it. */
  copy(): Promise<string>;
  remove(): Promise<void>;
}

export async function seedGateway(tasks: number): Promise<Seeded> {
  const folder = await mkdtemp(join(tmpdir(), "mosaic-tier-"));
  const dataDirectory = join(folder, "seeded");
  const snapshot = await makePgliteSnapshot({ vector: true });
  const store = await openPglite({ dataDirectory: join(dataDirectory, "database"), vector: true, snapshot });
  await seedEveryTable(store, { tasks });
  await store.close();
  let copies = 0;
  return {
    folder,
    async copy() {
      copies += 1;
      const to = join(folder, `copy-${copies}`);
      await cp(dataDirectory, to, { recursive: true });
      return to;
    },
    remove: async () => await rm(folder, { recursive: true, force: true }),
  };
}

/**
 * All that a table holds in one order: what both databases must agree on. But for the words full-text search reads, which each
 * makes of the same text itself, and where an emoji may be a word to one and none to the other.
 */
export async function contents(
  run: (sql: string) => Promise<{ readonly row: string }[]>,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const found: Record<string, readonly string[]> = {};
  for (const [table, key] of Object.entries(MOVED)) {
    const rows = await run(
      `select (jsonb_strip_nulls(to_jsonb(t)) - 'search_document')::text as row from (select * from ${table}) as t order by ${key}`,
    );
    found[table] = rows.map(({ row }) => row);
  }
  return found;
}

/** {@link contents} of an embedded database that nobody has open. */
export async function contentsOfGateway(dataDirectory: string): Promise<Awaited<ReturnType<typeof contents>>> {
  const store = await openPglite({ dataDirectory: join(dataDirectory, "database"), vector: true });
  try {
    return await contentsOfStore(store);
  } finally {
    await store.close();
  }
}

export async function contentsOfStore(store: Store): Promise<Awaited<ReturnType<typeof contents>>> {
  return await contents(async (sql) => await store.query<{ row: string }>(sql, []));
}

/** {@link contents} of a test's database. Its session is in UTC as a gateway's are. */
export async function contentsOfDatabase(database: FreshDatabase): Promise<Awaited<ReturnType<typeof contents>>> {
  await database.run(`alter database ${database.address.name} set timezone to 'UTC'`);
  return await contents(async (sql) => await database.run<{ row: string }>(sql));
}

/** Opens both ends, migrates and closes them. */
export async function migrateInto(
  openSource: string | (() => Promise<MigrationSource>),
  address: PostgresAddress,
  options: { readonly allowNonEmpty?: boolean; readonly signal?: AbortSignal } = {},
): Promise<readonly TableResult[]> {
  const source =
    typeof openSource === "string" ? await openPgliteSource(join(openSource, "database")) : await openSource();
  try {
    const target = await openMigrationTarget({ ...address, vector: true });
    try {
      const { allowNonEmpty = false, signal = new AbortController().signal } = options;
      return await migrateTier({ source, target, allowNonEmpty, signal });
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** As `--dry-run`. */
export async function look(dataDirectory: string, address: PostgresAddress): Promise<MigrationPlan> {
  const source = await openPgliteSource(join(dataDirectory, "database"));
  try {
    const target = await openMigrationTarget({ ...address, vector: true, readOnly: true });
    try {
      return await planMigration(source, target);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** A number that changes with whatever is written to a table of the database, the record of migrations included. */
export async function writes(database: FreshDatabase): Promise<string> {
  const tables = [...Object.keys(MOVED), "drizzle.tier_migrations", "drizzle.tier_migration_tables"];
  const sums = tables.map((table) => `(select coalesce(sum(xmin::text::bigint), 0) from ${table})`);
  const [row] = await database.run<{ sum: string }>(`select (${sums.join(" + ")})::text as sum`);
  return row?.sum ?? "";
}

export { freshDatabase, type FreshDatabase };
