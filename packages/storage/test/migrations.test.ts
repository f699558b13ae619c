import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { openTestStore } from "@mosaicstack/harness";
import { getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrationsDirectory, schema } from "../src/index.ts";

const packageDirectory = join(import.meta.dirname, "..");
const vectorMigrationsDirectory = join(packageDirectory, "src/vector-migrations");

async function sqlFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith(".sql")).toSorted();
}

describe("generating migrations again from", () => {
  let copy: string;
  beforeEach(async () => {
    copy = await mkdtemp(join(tmpdir(), "mosaic-migrations-"));
    await cp(migrationsDirectory, copy, { recursive: true });
  });
  afterEach(() => rm(copy, { recursive: true, force: true }));

  async function generate(schemaFile: string): Promise<string[]> {
    // drizzle-kit takes the output folder only as a path from the working directory.
    const places = ["--schema", schemaFile, "--out", relative(packageDirectory, copy)];
    const program = join(packageDirectory, "../../node_modules/drizzle-kit/bin.cjs");
    await promisify(execFile)(process.execPath, [program, "generate", "--dialect", "postgresql", ...places], {
      cwd: packageDirectory,
    });
    return sqlFiles(copy);
  }

  test("the schema yields nothing new: the committed ones are the schema's", async () => {
    expect(await generate("./src/schema/index.ts")).toEqual(await sqlFiles(migrationsDirectory));
  });

  test("the schema of vectors yields nothing new either", async () => {
    await rm(copy, { recursive: true });
    await cp(vectorMigrationsDirectory, copy, { recursive: true });
    expect(await generate("./src/schema/embeddings.ts")).toEqual(await sqlFiles(vectorMigrationsDirectory));
  });

  test("a changed schema does yield a new one, so the comparison can fail", async () => {
    const changed = join(copy, "schema");
    await cp(join(packageDirectory, "src/schema"), changed, { recursive: true });
    await symlink(join(packageDirectory, "../../node_modules"), join(copy, "node_modules"));
    const teams = await readFile(join(changed, "teams.ts"), "utf8");
    await writeFile(join(changed, "teams.ts"), teams.replace("name: text().notNull()", 'motto: text("motto"), $&'));
    expect(await generate(relative(packageDirectory, join(changed, "index.ts")))).toHaveLength(
      (await sqlFiles(migrationsDirectory)).length + 1,
    );
  });
});

describe("migrations", () => {
  test("make every table of the schema, and each has a primary key", async () => {
    const store = await openTestStore();
    const made = await store.query<{ name: string; key: boolean }>(
      `select relname as name, exists (select from pg_index where indrelid = pg_class.oid and indisprimary) as key
       from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname collate "C"`,
      [],
    );
    const expected = Object.values(schema)
      .flatMap((one) => (is(one, PgTable) ? [getTableName(one)] : []))
      .toSorted();
    expect(made).toEqual(expected.map((name) => ({ name, key: true })));
    await store.close();
  });

  test("of a federated gateway leave no table without a primary key either, and a planted one is caught", async () => {
    const store = await openTestStore({ vector: true });
    const keyless = async () =>
      (
        await store.query<{ name: string }>(
          `select relname as name from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
           and not exists (select from pg_index where indrelid = pg_class.oid and indisprimary)`,
          [],
        )
      ).map(({ name }) => name);
    expect(await keyless()).toEqual([]);
    await store.query("create table planted (id uuid not null unique)", []);
    expect(await keyless()).toEqual(["planted"]);
    await store.close();
  });

  test("of every tier need no extension but pg_trgm, and no function of one PostgreSQL version", async () => {
    for (const name of await sqlFiles(migrationsDirectory)) {
      const sql = await readFile(join(migrationsDirectory, name), "utf8");
      // It comes with PostgreSQL, and is trusted: whoever may create in the database may create it.
      expect(sql, name).not.toMatch(
        /create extension (?!if not exists pg_trgm;)|\bvector\b|uuidv7\(|gen_random_uuid\(|uuid_generate/i,
      );
    }
  });

  test.each([
    ["the ordinary set", migrationsDirectory],
    ["the set of vectors", vectorMigrationsDirectory],
    ["the second wall's set", join(packageDirectory, "src/peer-reader-migrations")],
  ])("of %s have a journal that names exactly the files that are there", async (_, directory) => {
    const journal = JSON.parse(await readFile(join(directory, "meta/_journal.json"), "utf8")) as {
      readonly entries: readonly { readonly tag: string; readonly when: number }[];
    };
    expect(journal.entries.map(({ tag }) => `${tag}.sql`)).toEqual(await sqlFiles(directory));
    // The migrator applies what is dated after the newest applied: an earlier date would be skipped in silence.
    const dates = journal.entries.map(({ when }) => when);
    expect(dates).toEqual(dates.toSorted((one, other) => one - other));
    expect(new Set(dates).size).toBe(dates.length);
  });
});
