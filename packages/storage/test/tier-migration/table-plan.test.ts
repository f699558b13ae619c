import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AnyPgColumn, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { openPgliteInMemory } from "../../src/index.ts";
import { planTables, tableDecisions } from "../../src/tier-migration/table-plan.ts";

const names = (tables: readonly { readonly name: string }[]): string[] => tables.map(({ name }) => name).toSorted();

test("every table of a federated gateway's database moves or is skipped with a reason, and there is no other", async () => {
  const store = await openPgliteInMemory({ vector: true });
  try {
    const tables = await store.query<{ name: string }>(
      "select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')",
      [],
    );
    const { copied, skipped } = planTables();
    expect([...names(copied), ...names(skipped)].toSorted()).toEqual(names(tables));
    expect(Object.keys(tableDecisions).toSorted()).toEqual(names(tables));
    for (const { reason } of skipped) expect(reason).toMatch(/\w+ \w+/u);

    const order = copied.map(({ name }) => name);
    const keys = await store.query<{ child: string; parent: string }>(
      `select c.relname::text as child, p.relname::text as parent from pg_constraint
       join pg_class c on c.oid = conrelid join pg_class p on p.oid = confrelid where contype = 'f'`,
      [],
    );
    const among = keys.filter(({ child }) => order.includes(child));
    expect(among.length).toBeGreaterThan(10);
    for (const { child, parent } of among) expect(order.indexOf(parent)).toBeLessThan(order.indexOf(child));

    const generated = await store.query<{ name: string; column: string }>(
      `select attrelid::regclass::text as name, attname::text as column from pg_attribute where attgenerated <> ''`,
      [],
    );
    expect(generated.length).toBeGreaterThan(3);
    for (const { name, column } of generated) {
      expect(copied.find((table) => table.name === name)?.columns).not.toContain(`"${column}"`);
    }
  } finally {
    await store.close();
  }
});

test("tables with tokens and codes of one use, and those made for a moment, are skipped", () => {
  expect(names(planTables().skipped)).toEqual([
    "embeddings",
    "federation_enrollment_tokens",
    "federation_server_certificates",
    "idempotency_keys",
    "search_words",
    "sessions",
    "verifications",
  ]);
});

test("a table nobody has decided on is found", () => {
  const added = pgTable("reset_codes", { id: uuid().primaryKey(), code: text() });
  expect(() => planTables([added])).toThrow("Nobody has decided whether the table reset_codes migrates.");
});

test("a table without a primary key, and tables that refer to each other, are found", () => {
  const loose = pgTable("loose", { id: uuid() });
  expect(() => planTables([loose], { loose: "copy" })).toThrow("no primary key");
  const one = pgTable("one", { id: uuid().primaryKey(), other: uuid().references((): AnyPgColumn => two.id) });
  const two = pgTable("two", { id: uuid().primaryKey(), other: uuid().references((): AnyPgColumn => one.id) });
  expect(() => planTables([one, two], { one: "copy", two: "copy" })).toThrow("refer to each other: one, two");
});

const OPENS_SECRETS = /createSealer|sealing\.ts|sealKey\.reveal|ensureSecrets|authSecret\.reveal/u;

test("nothing of the migration opens a sealed value or loads the key", async () => {
  const root = join(import.meta.dirname, "../../../..");
  const folders = ["packages/storage/src/tier-migration", "apps/cli/src/storage"];
  const files = (
    await Promise.all(
      folders.map(async (folder) => (await readdir(join(root, folder))).map((name) => join(folder, name))),
    )
  ).flat();
  files.push("apps/cli/src/commands/storage.ts");
  expect(files.length).toBeGreaterThan(10);
  for (const file of files)
    expect([file, OPENS_SECRETS.test(await readFile(join(root, file), "utf8"))]).toEqual([file, false]);
  expect(OPENS_SECRETS.test("const sealer = createSealer({ secret: secrets.sealKey.reveal() });")).toBe(true);
});
