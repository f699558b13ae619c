import * as schema from "./schema/index.ts";

export {
  makePgliteSnapshot,
  openPglite,
  openPgliteInMemory,
  type PgliteInMemoryOptions,
  type PgliteOptions,
} from "./adapters/pglite.ts";
export { openPostgres, type PostgresAddress, type PostgresOptions } from "./adapters/postgres.ts";
export { type DataDirectoryLock, type DataDirectoryLockOptions, lockDataDirectory } from "./data-directory-lock.ts";
export { type ConstraintViolation, constraintViolation, databaseProblem } from "./database-faults.ts";
export { migrationsDirectory } from "./migrate.ts";
export { problem as storageProblem } from "./problems.ts";
export { type Binding, createSealer, type Sealer } from "./sealing.ts";
export type { Database, Engine, ReadStore, Store } from "./store.ts";
export { schema };
