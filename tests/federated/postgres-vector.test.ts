import { openPostgres } from "@mosaicstack/storage";
import { afterAll, describe } from "vitest";
import { vectorContract } from "../storage/vector-contract.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

const databases: FreshDatabase[] = [];
afterAll(async () => {
  for (const database of databases) await database.drop();
});

describe("PostgreSQL", () => {
  vectorContract(async (options) => {
    const database = await freshDatabase();
    databases.push(database);
    return openPostgres({ ...database.address, ...options });
  });
});
