import { openPostgres } from "@mosaicstack/storage";
import { afterAll, describe } from "vitest";
import { keysetContract } from "../storage/keyset-contract.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

describe.each([
  ["PostgreSQL", { analyzed: true }],
  ["PostgreSQL that has seen no ANALYZE yet", { analyzed: false }],
  ["PostgreSQL, behind the second wall", { analyzed: true, asPeer: true }],
  ["PostgreSQL, behind the second wall, that has seen no ANALYZE yet", { analyzed: false, asPeer: true }],
])("%s", (_, options) => {
  let database: FreshDatabase | undefined;
  afterAll(() => database?.drop());

  keysetContract(async () => {
    database = await freshDatabase();
    return openPostgres({ ...database.address, vector: true });
  }, options);
});
