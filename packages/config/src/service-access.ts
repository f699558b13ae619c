import { readFile } from "node:fs/promises";
import type { BullmqQueueConfig, DatabaseConfig, StepCaConfig } from "./config.ts";
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

/** All it takes to ask step-ca for certificates. Never printed. */
export interface StepCaAccess {
  readonly url: string;
  readonly rootPem: string;
  /** The provisioners' private key: a JWK, or a JWE that the password opens. */
  readonly provisionerKey: string;
  readonly provisionerPassword?: string;
}

/** @throws Problem `config_invalid` where `database.caFile` can't be read */
export async function databaseAccess(database: DatabaseConfig, secrets: GivenSecrets): Promise<DatabaseAccess> {
  const { caFile, migrationUser, host, port, name, user, tls, poolSize } = database;
  const { databasePassword, databaseMigrationPassword } = secrets;
  return {
    host,
    port,
    name,
    user,
    tls,
    poolSize,
    ...(databasePassword === undefined ? {} : { password: databasePassword.reveal() }),
    ...(caFile === undefined ? {} : { ca: await readAuthority("database.caFile", caFile) }),
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
    host,
    port,
    database,
    tls,
    ...(username === undefined ? {} : { username }),
    ...(queuePassword === undefined ? {} : { password: queuePassword.reveal() }),
  };
}

/** @throws Problem `config_invalid` where `certificateAuthority.rootFile` can't be read */
export async function stepCaAccess({ url, rootFile }: StepCaConfig, secrets: GivenSecrets): Promise<StepCaAccess> {
  const { provisionerKey, provisionerPassword } = secrets;
  return {
    url,
    rootPem: await readAuthority("certificateAuthority.rootFile", rootFile),
    provisionerKey: provisionerKey?.reveal() ?? "",
    ...(provisionerPassword === undefined ? {} : { provisionerPassword: provisionerPassword.reveal() }),
  };
}

async function readAuthority(path: string, file: string): Promise<string> {
  const remedy = "Name a PEM file with the authority's certificate that the gateway's user may read.";
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw configInvalid([{ path, message: `can't be read (${code})`, remedy }]);
  });
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw configInvalid([{ path, message: "holds no certificate in PEM", remedy }]);
  }
  return text;
}
