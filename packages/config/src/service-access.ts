import { readFile } from "node:fs/promises";
import type { BullmqQueueConfig, DatabaseConfig } from "./config.ts";
import { configInvalid } from "./fault.ts";
import type { GivenSecrets } from "./secret.ts";

/** A role and its password; none where the server asks for none (a socket's peer authentication). */
export interface DatabaseRole {
  readonly user: string;
  readonly password?: string;
}

/** All it takes to open the database: settings and secrets together. Never printed. */
export interface DatabaseAccess extends DatabaseRole {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly tls: DatabaseConfig["tls"];
  /** PEM of the authority that signed the server's certificate. Absent: those Node trusts. */
  readonly ca?: string;
  readonly poolSize: number;
  /** Who changes the schema. Absent: `user` does. */
  readonly migrateAs?: DatabaseRole;
}

/** All it takes to open the queue. Never printed. */
export interface QueueAccess {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

/** @throws Problem `config_invalid` where `database.caFile` can't be read */
export async function databaseAccess(database: DatabaseConfig, secrets: GivenSecrets): Promise<DatabaseAccess> {
  const { caFile, migrationUser, host, port, name, user, tls, poolSize } = database;
  const { databasePassword, databaseMigrationPassword } = secrets;
  return {
    ...{ host, port, name, user, tls, poolSize },
    ...(databasePassword === undefined ? {} : { password: databasePassword.reveal() }),
    ...(caFile === undefined ? {} : { ca: await readAuthority(caFile) }),
    ...(migrationUser === undefined
      ? {}
      : {
          migrateAs: {
            user: migrationUser,
            ...(databaseMigrationPassword === undefined ? {} : { password: databaseMigrationPassword.reveal() }),
          },
        }),
  };
}

export function queueAccess(queue: BullmqQueueConfig, { queuePassword }: GivenSecrets): QueueAccess {
  const { host, port, database, username, tls } = queue;
  return {
    ...{ host, port, database, tls },
    ...(username === undefined ? {} : { username }),
    ...(queuePassword === undefined ? {} : { password: queuePassword.reveal() }),
  };
}

async function readAuthority(path: string): Promise<string> {
  const remedy = "Name the PEM file of the authority that signed PostgreSQL's certificate.";
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw configInvalid([{ path: "database.caFile", message: `can't be read (${code})`, remedy }]);
  });
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw configInvalid([{ path: "database.caFile", message: "holds no certificate in PEM", remedy }]);
  }
  return text;
}
