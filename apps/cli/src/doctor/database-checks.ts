import type { DatabaseAccess } from "@mosaicstack/config";
import { Problem } from "@mosaicstack/foundation";
import type { PostgresFindings } from "@mosaicstack/storage";
import { LIMIT_MS } from "./bounded.ts";
import { type Check, faulty, ok, warning } from "./check.ts";

const WORST_SKEW_MS = 5000;

/** What one look at PostgreSQL found. */
export interface DatabaseFindings {
  readonly checks: readonly Check[];
  /** Whether it is as this version lays it out, so that it can be read. */
  readonly isReadable: boolean;
}

/**
 * Looks at PostgreSQL as the gateway's start would find it, and writes nothing.
 * @param vector whether the tier needs pgvector
 */
export async function checkDatabase(access: DatabaseAccess, vector: boolean): Promise<DatabaseFindings> {
  const { probePostgres } = await import("@mosaicstack/storage");
  const look = async (withVector: boolean): Promise<PostgresFindings> =>
    await probePostgres({ ...access, vector: withVector, connectTimeoutMs: LIMIT_MS });
  try {
    const findings = await look(vector);
    const isReadable = findings.migrations === "current" && findings.peerReader === undefined;
    return { checks: await judge(access, findings, vector), isReadable };
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "vector_unavailable") {
      return { checks: [faulty("postgresql", error)], isReadable: false };
    }
    // PostgreSQL answers; what it lacks is one thing, and all else is worth knowing too.
    const rest = await look(false).then(
      async (findings) => await judge(access, findings, false),
      (again: unknown) => [faulty("postgresql", again)],
    );
    return { checks: [...rest, faulty("pgvector", error)], isReadable: false };
  }
}

async function judge(access: DatabaseAccess, findings: PostgresFindings, vector: boolean): Promise<readonly Check[]> {
  const { host, port } = access;
  const latency = Math.round(findings.latencyMs * 10) / 10;
  const secure = findings.tls ? "over TLS" : "without TLS";
  return [
    {
      ...ok("postgresql", `${host}:${port}, version ${findings.version}, ${secure}, ${latency} ms`),
      host,
      port,
      latency_ms: latency,
    },
    ...(vector ? [judgeVector(findings)] : []),
    await judgeTrigrams(access, findings),
    judgeRole(access, findings),
    await judgeMigrations(access, findings),
    ...(vector ? [await judgeWall(access, findings)] : []),
    judgeClock(findings),
  ];
}

function judgeVector({ vector: { available, installed } }: PostgresFindings): Check {
  if (installed !== undefined) return ok("pgvector", `version ${installed}`);
  return ok("pgvector", `version ${available ?? "?"} is on the server; the first start enables it`);
}

/** Search finds misspelt words by it, in every tier. */
async function judgeTrigrams({ host, port }: DatabaseAccess, { trigrams }: PostgresFindings): Promise<Check> {
  const { available, installed } = trigrams;
  if (installed !== undefined) return ok("pg_trgm", `version ${installed}`);
  if (available !== undefined)
    return ok("pg_trgm", `version ${available} is on the server; the first start enables it`);
  const { storageProblem } = await import("@mosaicstack/storage");
  return faulty("pg_trgm", storageProblem("trigrams_unavailable", { extensions: { host, port } }));
}

function judgeRole({ migrateAs }: DatabaseAccess, { role }: PostgresFindings): Check {
  const name = "database role";
  if (role.superuser) return warning(name, "database_superuser", "The gateway's database role is a superuser.");
  if (role.bypassesRowSecurity) {
    return warning(name, "database_bypasses_row_security", "The gateway's database role has BYPASSRLS.");
  }
  const owner = role.ownsSchema && migrateAs === undefined ? "; it also migrates (database.migrationUser can)" : "";
  return ok(name, `row-level security holds for it${owner}`);
}

async function judgeWall(access: DatabaseAccess, { peerReader, migrations }: PostgresFindings): Promise<Check> {
  const name = "second wall";
  if (peerReader === undefined) {
    return ok(name, migrations === "current" ? "row-level security bounds what peers read" : "the next start makes it");
  }
  const { peerReaderProblem } = await import("@mosaicstack/storage");
  return faulty(name, peerReaderProblem(peerReader, access));
}

async function judgeMigrations(access: DatabaseAccess, { migrations, role }: PostgresFindings): Promise<Check> {
  const name = "migrations";
  if (migrations === "current") return ok(name, "all of this version");
  const { host, port, migrateAs } = access;
  const { storageProblem } = await import("@mosaicstack/storage");
  const refused = { extensions: { host, port } };
  if (migrations === "newer") return faulty(name, storageProblem("database_newer", refused));
  if (migrateAs === undefined && !role.ownsSchema) return faulty(name, storageProblem("database_outdated", refused));
  switch (migrations) {
    case "none":
      return warning(name, "database_empty", "The database has none of the tables yet.");
    case "behind":
      return warning(name, "database_behind", "The database lacks migrations of this version.");
  }
}

function judgeClock({ clockSkewMs }: PostgresFindings): Check {
  const name = "database clock";
  if (Math.abs(clockSkewMs) <= WORST_SKEW_MS) return ok(name, "PostgreSQL's and this machine's agree");
  const seconds = Math.round(Math.abs(clockSkewMs) / 1000);
  return warning(name, "database_clock_skew", `PostgreSQL's clock and this machine's are ${seconds} s apart.`);
}
