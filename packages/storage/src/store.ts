import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type * as schema from "./schema/index.ts";

export type Engine = "pglite" | "postgres";

/** Drizzle over this project's schema, the same type on both engines. */
export type Database = PgDatabase<PgQueryResultHKT, typeof schema>;

/** Runs one statement that only reads. What the serving side of federation is handed: it cannot write. */
export interface ReadStore {
  /**
   * One parameterised SELECT, prepared once a connection where the engine can.
   * Values come back as the engine has them: text for uuid and json cast to text, number for int4, Date for timestamptz.
   */
  query<Row extends object>(sql: string, parameters: readonly unknown[]): Promise<Row[]>;
}

/** One database, embedded or served. The owner of a Store closes it. */
export interface Store extends ReadStore {
  readonly engine: Engine;
  readonly db: Database;
  /** Runs in one transaction; rolls back when `work` throws. No network call or signing belongs inside. */
  transaction<Result>(work: (db: Database) => Promise<Result>): Promise<Result>;
  /** Finishes what runs, then closes. Idempotent. */
  close(): Promise<void>;
}
