import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { PostgresOptions } from "@mosaicstack/storage";
import pg from "pg";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

const ROOT = join(import.meta.dirname, "../..");
const SCRIPT = join(ROOT, "deploy/postgresql/create-roles.sh");

export interface ScriptOutcome {
  readonly status: number | null;
  readonly output: string;
}

/** A database with the two roles of `create-roles.sh`, each with names of its own: roles belong to the whole server. */
export interface RolesDatabase {
  readonly database: FreshDatabase;
  readonly owner: { readonly user: string; readonly password: string };
  readonly runtime: { readonly user: string; readonly password: string };
  /** How a gateway opens it. */
  readonly options: PostgresOptions & Required<Pick<PostgresOptions, "migrateAs">>;
  /** Runs the script again. */
  runScript(environment?: Readonly<Record<string, string>>): Promise<ScriptOutcome>;
  /** Runs one statement as one of the roles. */
  runAs<Row extends pg.QueryResultRow>(role: "owner" | "runtime", sql: string): Promise<Row[]>;
  drop(): Promise<void>;
}

/** Makes the roles with the script, and a database that nothing has been migrated in yet. */
export async function rolesDatabase(): Promise<RolesDatabase> {
  const database = await freshDatabase();
  const mark = randomBytes(4).toString("hex");
  const owner = { user: `owner_${mark}`, password: `owner's secret: ${mark} \\ "` };
  const runtime = { user: `runtime_${mark}`, password: `runtime's secret: ${mark} \\ "` };
  const { host, port, name, user, password } = database.address;
  const runScript = (environment: Readonly<Record<string, string>> = {}): Promise<ScriptOutcome> =>
    runCreateRoles({
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      CREATE_ROLES_DATABASE: name,
      CREATE_ROLES_OWNER_ROLE: owner.user,
      CREATE_ROLES_RUNTIME_ROLE: runtime.user,
      CREATE_ROLES_OWNER_PASSWORD: owner.password,
      CREATE_ROLES_RUNTIME_PASSWORD: runtime.password,
      ...environment,
    });
  const options = { ...database.address, ...runtime, migrateAs: owner };
  const { status, output } = await runScript();
  if (status !== 0) throw new Error(`create-roles.sh ended with ${status}: ${output}`);
  return {
    database,
    owner,
    runtime,
    options,
    runScript,
    async runAs<Row extends pg.QueryResultRow>(role: "owner" | "runtime", sql: string) {
      const client = new pg.Client({ host, port, database: name, ...{ owner, runtime }[role] });
      await client.connect();
      try {
        return (await client.query<Row>(sql)).rows;
      } finally {
        await client.end();
      }
    },
    async drop() {
      await database.run(
        `drop owned by ${runtime.user} cascade; reassign owned by ${owner.user} to current_user;
         drop owned by ${owner.user} cascade; drop role ${runtime.user}; drop role ${owner.user}`,
      );
      await database.drop();
    },
  };
}

/** Runs the script with this environment and nothing of this process's own but the way to its programs. */
export function runCreateRoles(
  environment: Readonly<Record<string, string>>,
  parameters: readonly string[] = [],
): Promise<ScriptOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", [SCRIPT, ...parameters], {
      env: { PATH: [process.env["PATH"], ...psqlDirectories()].join(delimiter), ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const listen = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

/** The psql that came with the server that `npm run services` fetched, for a machine without one. */
function psqlDirectories(): string[] {
  const software = join(ROOT, ".services/software");
  try {
    return readdirSync(software, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith("/bin/psql"))
      .map((path) => join(software, path, ".."));
  } catch {
    return [];
  }
}
