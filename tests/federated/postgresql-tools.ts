import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { postgresqlSoftware } from "../../scripts/services/postgresql-software.ts";
import { SOFTWARE_CACHE } from "../../scripts/services/state.ts";

/** Where a server is, and as whom. */
interface Server {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

const MOST_BYTES = 256 * 1024 * 1024;

/**
 * PostgreSQL's own tools, of the version the tests' servers have, told of the server as an administrator's shell tells them.
 *
 * @returns what it printed
 * @throws Error with what it said where it fails
 */
export async function runPostgresqlTool(
  tool: "pg_dump" | "pg_restore",
  { host, port, user, password }: Server,
  words: readonly string[],
): Promise<string> {
  const { psql } = await postgresqlSoftware(SOFTWARE_CACHE, () => undefined);
  const env = { PATH: process.env["PATH"], PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
  const { stdout } = await promisify(execFile)(join(psql, "..", tool), words, { env, maxBuffer: MOST_BYTES });
  return stdout;
}
