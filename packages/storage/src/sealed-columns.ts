import { problem } from "./problems.ts";
import type { Sealer } from "./sealing.ts";
import type { ReadStore } from "./store.ts";

/** A column whose values are sealed, each bound to its row's `id`. Names need no quotes in SQL. */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** How people call what is in it: one, and several. */
  readonly one: string;
  readonly several: string;
}

/** Every sealed column. A test fails while one of the schema's columns named `sealed_…` is not listed. */
export const sealedColumns: readonly SealedColumn[] = [
  {
    table: "certificate_authorities",
    column: "sealed_key",
    one: "certificate authority",
    several: "certificate authorities",
  },
  { table: "credentials", column: "sealed_secret", one: "credential", several: "credentials" },
  {
    table: "federation_server_certificates",
    column: "sealed_key",
    one: "server certificate's key",
    several: "server certificates' keys",
  },
  {
    table: "federation_audit_chain",
    column: "sealed_key",
    one: "audit chain's key",
    several: "audit chains' keys",
  },
  { table: "federation_peers", column: "sealed_key", one: "peer's key", several: "peers' keys" },
  { table: "federation_peers", column: "sealed_next_key", one: "peer's next key", several: "peers' next keys" },
  {
    table: "federation_peers",
    column: "sealed_previous_key",
    one: "peer's previous key",
    several: "peers' previous keys",
  },
];

/** How many values of a column are sealed with another key. */
export interface SealedOtherwise extends SealedColumn {
  readonly count: number;
}

/** The key id a sealed text names; of what is no sealed text, the empty text. */
const keyIdOf = (column: string): string => `split_part(${column}, '.', 2)`;

/** Counts what is sealed with another key than `keyId`. Reads every sealed value's beginning, and opens none. */
export async function countSealedOtherwise(store: ReadStore, keyId: string): Promise<readonly SealedOtherwise[]> {
  const counts = sealedColumns.map(
    ({ table, column }, index) =>
      `select ${index} as position, count(*)::int4 as count from ${table} where ${keyIdOf(column)} <> $1`,
  );
  const rows = await store.query<{ position: number; count: number }>(
    `select * from (${counts.join(" union all ")}) as counted where count > 0 order by position`,
    [keyId],
  );
  return rows.flatMap(({ position, count }) => {
    const column = sealedColumns[position];
    return column === undefined ? [] : [{ ...column, count }];
  });
}

/**
 * That the database's sealed values are this key's, by one value of each sealed column: rotation leaves all of the old key or all
 * of the new. A database without sealed values fits any key.
 *
 * @throws Problem `seal_key_differs`
 */
export async function assertSealKey(store: ReadStore, { keyId }: Pick<Sealer, "keyId">): Promise<void> {
  const samples = sealedColumns.map(
    ({ table, column }, index) =>
      `(select ${index} as position, ${keyIdOf(column)} as key_id from ${table} where ${column} is not null limit 1)`,
  );
  const rows = await store.query<{ position: number }>(
    `select position from (${samples.join(" union all ")}) as sampled where key_id <> $1 order by position`,
    [keyId],
  );
  if (rows.length === 0) return;
  const what = rows.map(({ position }) => sealedColumns[position]?.several ?? "").join(", ");
  throw problem("seal_key_differs", {
    detail: `The database has values sealed with another key than the one configured: ${what}.`,
  });
}
