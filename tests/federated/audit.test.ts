import { openPostgres } from "@mosaicstack/storage";
import { afterAll, describe } from "vitest";
import { auditQueueContract } from "../storage/audit-queue-contract.ts";
import { auditVerificationContract } from "../storage/audit-verification-contract.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

const databases: FreshDatabase[] = [];
afterAll(async () => {
  for (const database of databases) await database.drop();
});

async function open() {
  const database = await freshDatabase();
  databases.push(database);
  return await openPostgres(database.address);
}

describe("the audit on PostgreSQL", () => {
  auditQueueContract(open);
  auditVerificationContract(open);
});
