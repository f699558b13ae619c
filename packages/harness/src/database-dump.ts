import type { Store } from "@mosaicstack/storage";

/** Every row of every table as JSON text, by table: for a test that looks for what must not be stored. */
export async function dumpDatabase(store: Store): Promise<ReadonlyMap<string, readonly string[]>> {
  const tables = await store.query<{ schema: string; name: string }>(
    `select table_schema as schema, table_name as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1, 2`,
    [],
  );
  const dump = new Map<string, readonly string[]>();
  for (const { schema, name } of tables) {
    const rows = await store.query<{ row: string }>(`select to_jsonb(r)::text as row from "${schema}"."${name}" r`, []);
    dump.set(
      `${schema}.${name}`,
      rows.map(({ row }) => row),
    );
  }
  return dump;
}
