import type { Problem } from "@mosaicstack/foundation";
import type pg from "pg";
import { type DatabaseAddress, isConnectionFault, sqlState } from "../database-faults.ts";
import { problem } from "../problems.ts";
import { type ExtensionFindings, extensionFindings, mayCreateExtension } from "./extension-findings.ts";

/** What a database's server has of pgvector. Versions, e.g. `0.8.5`. */
export type VectorFindings = ExtensionFindings;

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
  return await extensionFindings(client, "vector");
}

/** {@link mayCreateExtension} of pgvector. */
export async function mayCreateVector(client: pg.Client, role: string): Promise<boolean | undefined> {
  return await mayCreateExtension(client, "vector", role);
}
