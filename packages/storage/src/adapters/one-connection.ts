import pg from "pg";
import { connectionProblem, databaseProblem, isConnectionFault, sqlState } from "../database-faults.ts";
import { problem } from "../problems.ts";
import { clientConfig, migratingConfig, type PostgresOptions } from "./postgres-connection.ts";

/**
 * Runs `work` on a connection of its own, outside any pool, and closes it.
 *
 * @param role `owner`: as the role that migrates, where that is another.
 * @throws Problem database_unreachable; migrations_busy for a lock that wasn't had in time; database_outdated for a right
 *   that this role lacks
 */
export async function withOneConnection(
  options: PostgresOptions,
  role: "runtime" | "owner",
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const isOther = role === "owner" && options.migrateAs !== undefined;
  const client = new pg.Client(isOther ? migratingConfig(options) : clientConfig(options));
  client.on("error", () => undefined);
  try {
    await client.connect().catch((error: unknown) => {
      throw connectionProblem(error, options, isOther ? "owner" : "runtime");
    });
    await work(client);
  } catch (error) {
    throw problemOfOpening(error, options);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What failed while the database was opened or looked at, as a problem where it is one. */
export function problemOfOpening(error: unknown, { host, port }: PostgresOptions): unknown {
  const known = databaseProblem(error);
  if (known !== undefined) return known;
  if (isConnectionFault(error)) return connectionProblem(error, { host, port });
  const extensions = { service: "postgresql", host, port };
  switch (sqlState(error)) {
    case "55P03":
      return problem("migrations_busy", { extensions: { ...extensions, cause: "locked" }, cause: error });
    case "42501":
      return problem("database_outdated", { extensions: { ...extensions, cause: "not permitted" }, cause: error });
    default:
      return error;
  }
}
