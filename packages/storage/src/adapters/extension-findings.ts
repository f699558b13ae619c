import type pg from "pg";

/** What a database's server has of an extension. Versions, e.g. `1.6`. */
export interface ExtensionFindings {
  /** What the server's files would give; undefined where the extension isn't installed there. */
  readonly available: string | undefined;
  /** What this database has; undefined where the extension hasn't been created. */
  readonly installed: string | undefined;
}

/** Reads what there is. */
export async function extensionFindings(client: pg.Client, extension: string): Promise<ExtensionFindings> {
  const { rows } = await client.query<{ available: string | null; installed: string | null }>(
    `select (select default_version from pg_available_extensions where name = $1) as available,
            (select extversion from pg_extension where extname = $1) as installed`,
    [extension],
  );
  return { available: rows[0]?.available ?? undefined, installed: rows[0]?.installed ?? undefined };
}

/**
 * Whether a role could create the extension, told without trying: a superuser may, and another where the extension is
 * trusted (or asks for no superuser at all) and the role may create in the database.
 *
 * @returns undefined where there's no such role.
 */
export async function mayCreateExtension(
  client: pg.Client,
  extension: string,
  role: string,
): Promise<boolean | undefined> {
  const { rows } = await client.query<{ may: boolean }>(
    `select rolsuper
         or has_database_privilege(pg_roles.oid, current_database(), 'CREATE') and exists (
              select from pg_available_extension_versions as offered
              join pg_available_extensions as known on known.name = offered.name and known.default_version = offered.version
              where offered.name = $1 and (offered.trusted or not offered.superuser)) as may
     from pg_roles where rolname = $2`,
    [extension, role],
  );
  return rows[0]?.may;
}
