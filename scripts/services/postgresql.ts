import { randomBytes } from "node:crypto";
import { chown, cp, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { run } from "./command.ts";
import { freePort, HOST } from "./free-port.ts";
import { postgresqlSoftware } from "./postgresql-software.ts";
import type { Server } from "./server.ts";
import type { Preparation, Service } from "./service.ts";

const USER = "mosaic";
const DATABASE = "postgres";
const NOBODY = 65_534;
const EXTENSIONS = "share/postgresql/extension";

/** PostgreSQL refuses to run as root, so root runs it as nobody. */
const owner = process.getuid?.() === 0 ? NOBODY : undefined;
const asOwner = owner === undefined ? {} : { owner };

export interface PostgresqlOptions {
  /** PEM: serves TLS too. Whether a client must use it is the client's say. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** As an installation that lacks pgvector: `CREATE EXTENSION vector` finds nothing. */
  readonly withoutVector?: boolean;
}

export interface PostgresqlServer extends Server {
  /** A superuser. */
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly url: string;
}

export const postgresql: Service = {
  name: "postgresql",
  variables: ["MOSAIC_TEST_DATABASE_URL"],
  endsOn: "SIGQUIT",
  async prepare(directory, preparation) {
    const server = await preparePostgresql(directory, preparation);
    return { ...server, environment: { MOSAIC_TEST_DATABASE_URL: server.url } };
  },
};

/** A new, empty database cluster in this directory. */
export async function preparePostgresql(
  directory: string,
  { cache, report }: Preparation,
  { tls, withoutVector = false }: PostgresqlOptions = {},
): Promise<PostgresqlServer> {
  const software = await postgresqlSoftware(cache, report);
  const home = await runnable(software.server, directory);
  const password = randomBytes(18).toString("base64url");
  const writeOwned = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (owner !== undefined) await chown(path, owner, owner);
    return path;
  };
  if (owner !== undefined) await chown(directory, owner, owner);
  const passwordFile = await writeOwned("password", password);
  const authentication = ["--username", USER, "--auth", "scram-sha-256", "--pwfile", passwordFile];
  // PostgreSQL's own Unicode rules: the same on every machine, whatever locales it has.
  const provider = ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"];
  const locale = ["--encoding", "UTF8", "--locale", "C", ...provider];
  const data = ["--pgdata", join(directory, "data")];
  await run(join(home, "bin/initdb"), [...authentication, ...locale, ...data, "--no-sync"], {
    ...asOwner,
    cwd: directory,
  });

  const port = await freePort();
  const settings = [
    `port=${port}`,
    `listen_addresses=${HOST}`,
    `unix_socket_directories=${directory}`,
    // Throw-away data: nothing of it needs to outlive a power failure. It outlives the server's own death.
    "fsync=off",
  ];
  if (tls !== undefined) {
    settings.push("ssl=on", `ssl_cert_file=${await writeOwned("tls.crt", tls.certificate)}`);
    settings.push(`ssl_key_file=${await writeOwned("tls.key", tls.key)}`);
  }
  if (withoutVector) settings.push(`extension_control_path=${await extensionsWithoutVector(home, directory)}`);
  const version = (await run(join(home, "bin/postgres"), ["--version"])).trim();
  const connection = { host: HOST, port, user: USER, password, database: DATABASE };
  return {
    name: "postgresql",
    description: `${version}, with ${withoutVector ? "pg_trgm alone" : "pgvector and pg_trgm"}`,
    directory,
    ...connection,
    url: `postgres://${USER}:${password}@${HOST}:${port}/${DATABASE}`,
    program: join(home, "bin/postgres"),
    parameters: ["-D", join(directory, "data"), ...settings.flatMap((setting) => ["-c", setting])],
    ...asOwner,
    endsOn: postgresql.endsOn,
    async answers() {
      const client = new pg.Client({ ...connection, connectionTimeoutMillis: 1000 });
      await client.connect();
      await client.end();
      return true;
    },
  };
}

/** The software where the server's user can reach it: a checkout under /root isn't, so there it's copied. */
async function runnable(software: string, directory: string): Promise<string> {
  const works = await run(join(software, "bin/postgres"), ["--version"], { ...asOwner, cwd: "/" }).then(
    () => true,
    () => false,
  );
  if (works) return software;
  const copy = join(directory, "software");
  await cp(software, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** A folder with an `extension` folder of all the extensions but one, for `extension_control_path`. */
async function extensionsWithoutVector(home: string, directory: string): Promise<string> {
  const folder = join(directory, "share");
  await mkdir(join(folder, "extension"), { recursive: true });
  for (const name of await readdir(join(home, EXTENSIONS))) {
    if (name.startsWith("vector")) continue;
    await symlink(join(home, EXTENSIONS, name), join(folder, "extension", name));
  }
  return folder;
}
