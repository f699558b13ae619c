import pg from "pg";

/** Rows that come through REST, as users make them; what is wanted beyond is copied from them by the database. */
export const THROUGH_REST = 4000;

const FILLED = ["tasks", "notes"] as const;

/**
 * Fills a PostgreSQL database up to so many rows with copies of those it has: other ids and keys, earlier times, the same people
 * and teams. Importing 200,000 rows through REST would take longer than all else. Then gathers statistics, which a server does
 * by itself within minutes of a bulk load: before that its plans are guesses, and a list takes five times as long.
 */
export async function fillUp(
  url: string,
  wanted: Partial<Readonly<Record<(typeof FILLED)[number], number>>>,
): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const table of FILLED) await copyRows(client, table, wanted[table] ?? 0);
    await client.query("vacuum analyze");
  } finally {
    await client.end();
  }
}

/** Copies of whole generations, each as far before the one after it as their rows are apart: a page of the newest stays as it was. */
async function copyRows(client: pg.Client, table: string, wanted: number): Promise<void> {
  const { rows } = await client.query<{ count: number; span: string | null }>(
    `select count(*)::int as count, (extract(epoch from max(created_at) - min(created_at)) * 1000)::bigint as span from ${table}`,
  );
  const [{ count, span } = { count: 0, span: null }] = rows;
  if (count === 0 || count >= wanted) return;
  const step = `((${span}::bigint + 60000) * generation)`;
  const shifted: Readonly<Record<string, string>> = {
    // UUIDv7: the first 48 bits are the milliseconds.
    id: `(lpad(to_hex(('x' || lpad(translate(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint - ${step}), 12, '0')
         || substr(translate(id::text, '-', ''), 13))::uuid`,
    key: "key || '-' || generation",
    created_at: `created_at - ${step} * interval '1 ms'`,
    updated_at: `updated_at - ${step} * interval '1 ms'`,
  };
  const { rows: columns } = await client.query<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = current_schema() and table_name = $1 and is_generated = 'NEVER' order by ordinal_position`,
    [table],
  );
  const names = columns.map(({ name }) => name);
  await client.query(
    `insert into ${table} (${names.join(", ")})
     select ${names.map((name) => shifted[name] ?? name).join(", ")}
     from ${table} cross join generate_series(1, ${Math.ceil(wanted / count)}) as generation
     order by generation, id desc limit ${wanted - count}`,
  );
}
