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

/** What a peer's read may touch at most, whatever its statements say: set for one transaction. */
export interface PeerBounds {
  /** Whose rows: the user of this gateway as whom the peer reads. */
  readonly subjectUserId: string;
  /** Whether the subject's personal space is included. */
  readonly personal: boolean;
  /** Which of the subject's teams are included. A team they don't belong to never is. */
  readonly teams: "all" | readonly string[];
  /** SQL tables, e.g. `tasks`. Names of teams and of people come with the rows of any. */
  readonly resources: readonly string[];
}

/** What the work of a peer's read is handed. All of it refuses once the read is over. */
export interface PeerReadStore extends ReadStore {
  /**
   * One SELECT outside the wall, in the same READ ONLY transaction, as the ordinary role and so with every index: row
   * security lets none serve a text match. What it finds must leave through `query` alone, by the ids it found.
   *
   * @throws Error, misuse, once `query` was called: the wall doesn't come down again.
   */
  findCandidates<Row extends object>(sql: string, parameters: readonly unknown[]): Promise<Row[]>;
  /**
   * The same as `query`, for a statement that is the read's only one or its last: the transaction's end is sent with it. One that
   * follows all the same begins a transaction of its own, behind the same wall.
   */
  readonly last: ReadStore;
}

/** One database, embedded or served. The owner of a Store closes it. */
export interface Store extends ReadStore {
  readonly engine: Engine;
  readonly db: Database;
  /**
   * Reads for a peer, behind the second wall: a READ ONLY transaction, as a role that can't bypass row security, with the
   * bounds set for it (docs/adr/0007). `work` gets the one way to read there is; the store itself is refused inside, as in
   * a transaction. Nothing of role or bounds outlives it.
   *
   * @throws Problem peer_reader_unavailable where the database lacks the wall, or it wasn't as the migrations make it when it
   *   was last looked at: nothing is read then
   */
  readAsPeer<Result>(bounds: PeerBounds, work: (read: PeerReadStore) => Promise<Result>): Promise<Result>;
  /**
   * Looks whether the second wall is as the migrations make it still. Opening a federated gateway's store has looked; from now on
   * {@link readAsPeer} goes by this look. Where the database can't be asked, it goes by the one before.
   *
   * @throws Problem peer_reader_unavailable where it isn't, and the database's own
   */
  checkSecondWall(): Promise<void>;
  /** Runs in one transaction; rolls back when `work` throws. No network call or signing belongs inside. */
  transaction<Result>(work: (db: Database) => Promise<Result>): Promise<Result>;
  /** Finishes what runs, then closes. Idempotent. */
  close(): Promise<void>;
}
