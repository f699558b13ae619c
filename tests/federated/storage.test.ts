import { openPostgres } from "@mosaicstack/storage";
import { afterAll, describe } from "vitest";
import { storeContract } from "../storage/store-contract.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

const databases: FreshDatabase[] = [];
afterAll(async () => {
  for (const database of databases) await database.drop();
});

async function fresh(): Promise<FreshDatabase> {
  const database = await freshDatabase();
  databases.push(database);
  return database;
}

describe("PostgreSQL", () => {
  storeContract(async () => openPostgres((await fresh()).address));
});
