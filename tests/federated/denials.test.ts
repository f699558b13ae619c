import { openPostgres } from "@mosaicstack/storage";
import { afterAll, describe } from "vitest";
import { denialMatrix } from "../../packages/federation-server/test/denial-matrix.ts";
import { startServingGateway } from "../../packages/federation-server/test/serving-gateway.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

const databases: FreshDatabase[] = [];
afterAll(async () => {
  for (const database of databases) await database.drop();
});

describe("the listener on PostgreSQL", () => {
  denialMatrix((options) =>
    startServingGateway({
      ...options,
      async openStore() {
        const database = await freshDatabase();
        databases.push(database);
        return await openPostgres({ ...database.address, vector: true });
      },
    }),
  );
});
