import type { Problem } from "@mosaicstack/foundation";
import type pg from "pg";
import { type DatabaseAddress, isConnectionFault, sqlState } from "../database-faults.ts";
import { problem } from "../problems.ts";
import { extensionFindings } from "./extension-findings.ts";

/** Absent and forbidden are two different errands for whoever runs the server. */
export function trigramsUnavailable(
  why: "absent" | "forbidden",
  { host, port }: DatabaseAddress,
  cause?: unknown,
): Problem {
  const extensions = { service: "pg_trgm", host, port };
  return why === "forbidden"
    ? problem("trigrams_unavailable", {
        detail: "pg_trgm is installed on the server, but this user may not enable it in the database.",
        remedy:
          "Have the database's owner or a superuser run in this database: CREATE EXTENSION pg_trgm (or GRANT CREATE ON DATABASE to the user that migrates)",
        extensions: { ...extensions, cause: "not permitted" },
        cause,
      })
    : problem("trigrams_unavailable", {
        detail: "pg_trgm isn't installed on the database server.",
        remedy:
          "Install the contrib modules of the server's PostgreSQL version (package postgresql-contrib), or use an image that has them.",
        extensions: { ...extensions, cause: "not installed" },
        cause,
      });
}

/**
 * Creates pg_trgm where it isn't yet: search finds misspelt words by it, in every tier. It comes with PostgreSQL and is
 * trusted, so whoever may create in the database may create it. Callers take turns.
 *
 * @throws Problem trigrams_unavailable
 */
export async function createTrigramExtension(client: pg.Client, address: DatabaseAddress): Promise<void> {
  if ((await extensionFindings(client, "pg_trgm")).installed !== undefined) return;
  try {
    await client.query("create extension if not exists pg_trgm");
  } catch (error) {
    if (isConnectionFault(error)) throw error;
    throw trigramsUnavailable(sqlState(error) === "42501" ? "forbidden" : "absent", address, error);
  }
}
