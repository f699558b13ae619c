import type { Problem } from "@mosaicstack/foundation";
import type pg from "pg";
import { type DatabaseAddress, isConnectionFault, sqlState } from "../database-faults.ts";
import { problem } from "../problems.ts";

/** What a database's server has of pgvector. Versions, e.g. `0.8.5`. */
export interface VectorFindings {
  /** What the server's files would give; undefined where pgvector isn't installed there. */
  readonly available: string | undefined;
  /** What this database has; undefined where the extension hasn't been created. */
  readonly installed: string | undefined;
}

/** Absent and forbidden are two different errands for whoever runs the server. */
export function vectorUnavailable(
  why: "absent" | "forbidden",
  { host, port }: DatabaseAddress,
  cause?: unknown,
): Problem {
  const extensions = { service: "pgvector", host, port };
  return why === "forbidden"
    ? problem("vector_unavailable", {
        detail: "pgvector is installed on the server, but this user may not enable it in the database.",
        remedy: "Have a superuser run in this database: CREATE EXTENSION vector",
        extensions: { ...extensions, cause: "not permitted" },
        cause,
      })
    : problem("vector_unavailable", {
        detail: "pgvector isn't installed on the database server.",
        remedy: "Install pgvector for the server's PostgreSQL version, or use an image that has it.",
        extensions: { ...extensions, cause: "not installed" },
        cause,
      });
}

/**
 * Creates the extension where it isn't yet. Callers take turns: two at once can both fail.
 * @throws Problem vector_unavailable
 */
export async function createVectorExtension(client: pg.Client, address: DatabaseAddress): Promise<void> {
  if ((await vectorFindings(client)).installed !== undefined) return;
  try {
    await client.query("create extension if not exists vector");
  } catch (error) {
    if (isConnectionFault(error)) throw error;
    throw vectorUnavailable(sqlState(error) === "42501" ? "forbidden" : "absent", address, error);
  }
}

/** Reads what there is. */
export async function vectorFindings(client: pg.Client): Promise<VectorFindings> {
  const { rows } = await client.query<{ available: string | null; installed: string | null }>(
    `select (select default_version from pg_available_extensions where name = 'vector') as available,
            (select extversion from pg_extension where extname = 'vector') as installed`,
  );
  return { available: rows[0]?.available ?? undefined, installed: rows[0]?.installed ?? undefined };
}

/**
 * Whether a role could create the extension, told without trying: a superuser may, and another where the extension is
 * trusted (or asks for no superuser at all) and the role may create in the database.
 *
 * @returns undefined where there's no such role.
 */
export async function mayCreateVector(client: pg.Client, role: string): Promise<boolean | undefined> {
  const { rows } = await client.query<{ may: boolean }>(
    `select rolsuper
         or has_database_privilege(pg_roles.oid, current_database(), 'CREATE') and exists (
              select from pg_available_extension_versions as offered
              join pg_available_extensions as known on known.name = offered.name and known.default_version = offered.version
              where offered.name = 'vector' and (offered.trusted or not offered.superuser)) as may
     from pg_roles where rolname = $1`,
    [role],
  );
  return rows[0]?.may;
}
