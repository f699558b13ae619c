import { newId } from "@mosaicstack/foundation";
import { openPostgres, type Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RolesDatabase, rolesDatabase } from "./database-roles.ts";

// Row security holds for a role that isn't the tables' owner, and lets no index serve an operator that could tell of rows it
// hides (`@@`, `<<%`). The policy for native use is a constant, so that for native use nothing of that is so.
let roles: RolesDatabase;
let store: Store;
const owners = Array.from({ length: 20 }, () => newId());
const owner = owners[0]!;
beforeAll(async () => {
  roles = await rolesDatabase();
  store = await openPostgres({ ...roles.options, vector: true });
  await store.query("insert into users (id, name, email) select id, 'x', id::text from unnest($1::uuid[]) as id", [
    owners,
  ]);
  await store.query(
    `insert into tasks (id, owner_id, title, created_at, updated_at)
     select lpad(to_hex(number), 32, '0')::uuid, ($1::uuid[])[number % 20 + 1], 'word' || number || ' task', now(), now() from generate_series(1, 20000) as number`,
    [owners],
  );
  await roles.runAs("owner", "analyze tasks");
});
afterAll(async () => {
  await store.close();
  await roles.drop();
});

async function planOf(sql: string, parameters: readonly unknown[]): Promise<string> {
  const rows = await store.query<{ "QUERY PLAN": string }>(`explain (costs off) ${sql}`, parameters);
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

test("the gateway's role is bound by row security, being no owner: what follows would show it", async () => {
  const [bound] = await store.query<{ bound: boolean }>("select row_security_active('tasks') as bound", []);
  expect(bound).toEqual({ bound: true });
});

test.each([
  ["full text", "search_document @@ websearch_to_tsquery('english', $1)", "tasks_search_document", "word77"],
  [
    "words of its title",
    `search_title_keys('tasks', space_id, title) @> array[search_word_key('tasks', '${owner}', $1)]`,
    "tasks_title_words",
    "word77",
  ],
  ["a row by its id", "id = $1::uuid", "tasks_pkey", newId()],
  ["a key", "space_id = $1::uuid and key = 'x'", "tasks_space_id_key_unique", owner],
])("native statements find by %s along its index", async (_, condition, index, value) => {
  const plan = await planOf(`select id from tasks where ${condition}`, [value]);
  expect(plan).toMatch(new RegExp(`(Index|Bitmap Index|Index Only) Scan (using|on) ${index}`, "u"));
});

test("a list walks its space's index", async () => {
  const plan = await planOf("select id, title from tasks where space_id = $1::uuid order by id desc limit 50", [owner]);
  expect(plan).toContain("Index Scan Backward using tasks_space_id_id");
});

test("with a policy that looks at the row instead, the text's index is lost: the tests above can fail", async () => {
  await roles.runAs("owner", "alter policy native_use on tasks using (space_id is not null)");
  const plan = await planOf("select id from tasks where search_document @@ websearch_to_tsquery('english', $1)", [
    "word77",
  ]);
  await roles.runAs("owner", "alter policy native_use on tasks using (true)");
  expect(plan).toContain("Seq Scan on tasks");
});
