import { newId } from "@mosaicstack/foundation";
import { openPostgres, probePostgres } from "@mosaicstack/storage";
import pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { startPrivatePostgresql } from "../../scripts/services/private-instances.ts";
import { searchContract } from "../storage/search-contract.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

describe("search on PostgreSQL", () => {
  let database: FreshDatabase | undefined;
  afterAll(() => database?.drop());

  searchContract(async () => {
    database = await freshDatabase();
    return openPostgres(database.address);
  });
});

describe("pg_trgm", () => {
  let database: FreshDatabase;
  let user: string;
  beforeEach(async () => {
    database = await freshDatabase();
    user = `guest_${newId().replaceAll("-", "")}`;
    await database.run(`create role ${user} login password 'guest-secret'; grant all on schema public to ${user}`);
    await database.run("create schema drizzle");
    await database.run(`alter schema drizzle owner to ${user}`);
  });
  afterEach(async () => {
    await database.run(`drop owned by ${user} cascade`);
    await database.run(`drop role ${user}`);
    await database.drop();
  });
  const asGuest = () => openPostgres({ ...database.address, user, password: "guest-secret" });

  test("that this user may not create stops the start, on any tier, and says what helps", async () => {
    const refused = await asGuest().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({
      code: "trigrams_unavailable",
      status: 503,
      details: {
        service: "pg_trgm",
        cause: "not permitted",
        remedy: expect.stringContaining("CREATE EXTENSION pg_trgm") as string,
      },
    });
    expect(JSON.stringify(refused)).not.toContain("guest-secret");
  });

  test("is no fault where someone else has created it", async () => {
    await database.run("create extension pg_trgm");
    await database.run(`grant create on database ${database.address.name} to ${user}`);
    const store = await asGuest();
    expect(await store.query("select similarity('walnut', 'walnuts') > 0.5 as alike", [])).toEqual([{ alike: true }]);
    await store.close();
  });

  test("that the server does not have stops the start, and names the package", async () => {
    const server = await startPrivatePostgresql();
    const client = new pg.Client(server);
    try {
      await client.connect();
      await client.query("alter system set extension_control_path = '/nowhere'");
      await client.query("select pg_reload_conf()");
      const { host, port, user: name, password, database: base } = server;
      const opening = openPostgres({ host, port, name: base, user: name, password });
      await expect(opening).rejects.toMatchObject({
        code: "trigrams_unavailable",
        details: { cause: "not installed", remedy: expect.stringContaining("postgresql-contrib") as string },
      });
      expect((await probePostgres({ host, port, name: base, user: name, password })).trigrams).toEqual({});
    } finally {
      await client.end();
      await server.stop();
    }
  });

  test("is made by a user who may create in the database", async () => {
    await database.run(`grant create on database ${database.address.name} to ${user}`);
    await (await asGuest()).close();
    expect(await database.run("select 1 as there from pg_extension where extname = 'pg_trgm'")).toEqual([{ there: 1 }]);
  });
});
