import { randomBytes } from "node:crypto";
import type { PostgresAddress } from "@mosaicstack/storage";
import pg from "pg";

export interface FreshDatabase {
  readonly address: PostgresAddress & { readonly password: string };
  readonly url: string;
  /** Runs one statement in it as its owner, a superuser. */
  run<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]>;
  /** Removes it, whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * An empty database of its own on the server the tests were given.
 *
 * @throws Error without MOSAIC_TEST_DATABASE_URL: these tests fail where there's no server, they aren't skipped.
 */
export async function freshDatabase(): Promise<FreshDatabase> {
  const given = process.env["MOSAIC_TEST_DATABASE_URL"];
  if (given === undefined || given === "") {
    throw new Error("MOSAIC_TEST_DATABASE_URL isn't set. Run the federated tests with: npm run test:federated");
  }
  const name = `mosaic_test_${randomBytes(6).toString("hex")}`;
  await run(given, `create database ${name}`);
  const url = new URL(given);
  url.pathname = `/${name}`;
  return {
    address: {
      host: url.hostname,
      port: Number(url.port || 5432),
      name,
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    },
    url: url.href,
    run: (sql) => run(url.href, sql),
    drop: async () => {
      await run(given, `drop database ${name} with (force)`);
    },
  };
}

async function run<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
