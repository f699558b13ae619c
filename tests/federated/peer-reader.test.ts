import { openPostgres } from "@mosaicstack/storage";
import { afterAll, describe } from "vitest";
import { guardedTablesContract } from "../storage/guarded-tables-contract.ts";
import { peerReaderContract } from "../storage/peer-reader-contract.ts";
import { twoWallsContract } from "../storage/two-walls-contract.ts";
import { type RolesDatabase, rolesDatabase } from "./database-roles.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

/** Fewer connections than those who want one, so that each is used by many in turn. */
const FEW = { vector: true, poolSize: 3 } as const;

describe("PostgreSQL, the gateway's role a superuser", () => {
  const databases: FreshDatabase[] = [];
  afterAll(async () => {
    for (const database of databases) await database.drop();
  });
  const fresh = async (): Promise<FreshDatabase> => {
    const database = await freshDatabase();
    databases.push(database);
    return database;
  };

  peerReaderContract(async () => openPostgres({ ...(await fresh()).address, ...FEW }));
  twoWallsContract(async () => {
    const database = await fresh();
    return { store: await openPostgres({ ...database.address, ...FEW }), runAsOwner: (sql) => database.run(sql) };
  });
});

describe("PostgreSQL, owner and runtime role apart", () => {
  const databases: RolesDatabase[] = [];
  afterAll(async () => {
    for (const database of databases) await database.drop();
  });
  const fresh = async (): Promise<RolesDatabase> => {
    const database = await rolesDatabase();
    databases.push(database);
    return database;
  };

  const open = async () => openPostgres({ ...(await fresh()).options, ...FEW });
  peerReaderContract(open);
  guardedTablesContract(open);
  twoWallsContract(async () => {
    const roles = await fresh();
    return { store: await openPostgres({ ...roles.options, ...FEW }), runAsOwner: (sql) => roles.runAs("owner", sql) };
  });
});
