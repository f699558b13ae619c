import { openPostgres } from "@mosaicstack/storage";
import { afterAll, describe } from "vitest";
import { keysetContract } from "../storage/keyset-contract.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

let database: FreshDatabase | undefined;
afterAll(() => database?.drop());

describe("PostgreSQL", () => {
  keysetContract(async () => {
    database = await freshDatabase();
    return openPostgres(database.address);
  });
});
