import * as schema from "./schema/index.ts";

export {
  makePgliteSnapshot,
  openPglite,
  openPgliteInMemory,
  type PgliteInMemoryOptions,
  type PgliteOptions,
} from "./adapters/pglite.ts";
export { type AuditChain, type AuditHead, createAuditChain, openAuditChain } from "./audit/audit-chain.ts";
export { appendAudit, type AuditEntry, type AuditRow } from "./audit/audit-log.ts";
export {
  type AuditQueue,
  type AuditQueueEvent,
  type AuditQueueLimits,
  type AuditQueueStatus,
  createAuditQueue,
} from "./audit/audit-queue.ts";
export { type AuditFilter, type AuditReader, exportAudit, listAudit, type NamedAuditRow } from "./audit/read-audit.ts";
export {
  type AuditFinding,
  type AuditVerification,
  readAuditHead,
  verifyAudit,
  type VerifyOptions,
} from "./audit/verify-audit.ts";
export { openPostgres } from "./adapters/postgres.ts";
export type { PostgresAddress, PostgresOptions } from "./adapters/postgres-connection.ts";
export type { VectorFindings } from "./adapters/vector-extension.ts";
export { type DataDirectoryLock, type DataDirectoryLockOptions, lockDataDirectory } from "./data-directory-lock.ts";
export { type ConstraintViolation, constraintViolation, databaseProblem } from "./database-faults.ts";
export { type MigrationState, migrationsDirectory } from "./migrate.ts";
export { type EmbeddedCopy, openEmbeddedCopy } from "./probes/embedded-copy.ts";
export { type PeerReaderFault, peerReaderProblem } from "./peer-reader/peer-reader-faults.ts";
export { GUARDED_TABLES } from "./peer-reader/wall-parts.ts";
export { type PostgresFindings, probePostgres } from "./probes/probe-postgres.ts";
export { problem as storageProblem } from "./problems.ts";
export {
  assertSealKey,
  countSealedOtherwise,
  type SealedColumn,
  sealedColumns,
  type SealedOtherwise,
} from "./sealed-columns.ts";
export { openForRotation, type RotationDatabase } from "./seal-rotation-database.ts";
export { type RotatedColumn, type Rotation, rotateSeal, type RotationOptions } from "./seal-rotation.ts";
export { type Binding, createSealer, type Sealer } from "./sealing.ts";
export { embeddings, INDEXED_DIMENSIONS } from "./schema/embeddings.ts";
export type { Database, Engine, PeerBounds, PeerReadStore, ReadStore, Store } from "./store.ts";
export { PLANNED_ANEW } from "./statement-names.ts";
export type { TableResult } from "./tier-migration/copy-table.ts";
export {
  type MigrationOptions,
  type MigrationPlan,
  type MigrationProgress,
  migrateTier,
  planMigration,
  refuseOccupied,
  type TableRows,
} from "./tier-migration/migrate-tier.ts";
export type { MigrationSource } from "./tier-migration/migration-source.ts";
export {
  type MigrationTarget,
  type MigrationTargetOptions,
  openMigrationTarget,
} from "./tier-migration/migration-target.ts";
export { planTables, type MigrationTables, type TablePlan } from "./tier-migration/table-plan.ts";
export { openPgliteSource } from "./tier-migration/pglite-source.ts";
export { openPostgresSource } from "./tier-migration/postgres-source.ts";
export { schema };
