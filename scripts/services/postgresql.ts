import { randomBytes } from "node:crypto";
import { chown, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { POSTGRESQL_TREE, postgresqlSoftware } from "./postgresql-software.ts";
import type { Service } from "./service.ts";

const HOST = "127.0.0.1";
const USER = "mosaic";
const NOBODY = 65_534;

/** PostgreSQL refuses to run as root, so root runs it as nobody. */
const owner = process.getuid?.() === 0 ? NOBODY : undefined;
const asOwner = owner === undefined ? {} : { owner };

export const postgresql: Service = {
  name: "postgresql",
  variables: ["MOSAIC_TEST_DATABASE_URL"],

  async start(cache, report) {
    const directory = await mkdtemp(join(tmpdir(), "mosaic-postgresql-"));
    try {
      const home = await runnable(await postgresqlSoftware(cache, report), directory);
      const password = randomBytes(18).toString("base64url");
      await writeFile(join(directory, "password"), password, { mode: 0o600 });
      if (owner !== undefined) {
        await chown(directory, owner, owner);
        await chown(join(directory, "password"), owner, owner);
      }
      const authentication = ["--username", USER, "--auth", "scram-sha-256", "--pwfile", join(directory, "password")];
      // PostgreSQL's own Unicode rules: the same on every machine, whatever locales it has.
      const locale = [
        "--encoding",
        "UTF8",
        "--locale",
        "C",
        "--locale-provider",
        "builtin",
        "--builtin-locale",
        "C.UTF-8",
      ];
      const layout = [...dataOf(directory), "--no-sync"];
      await run(join(home, "bin/initdb"), [...authentication, ...locale, ...layout], { ...asOwner, cwd: directory });
      await writeFile(join(directory, "home"), home);

      const port = await freePort();
      // Throw-away data: nothing of it needs to outlive a power failure.
      const settings = [
        `port=${port}`,
        `listen_addresses=${HOST}`,
        `unix_socket_directories=${directory}`,
        "fsync=off",
      ];
      const server = settings.map((setting) => `-c ${setting}`).join(" ");
      const log = ["--log", join(directory, "log"), "--wait", "--timeout", "30"];
      await run(join(home, "bin/pg_ctl"), [...dataOf(directory), "-o", server, ...log, "start"], {
        ...asOwner,
        cwd: directory,
      });
      const version = (await run(join(home, "bin/postgres"), ["--version"])).trim();
      return {
        name: "postgresql",
        description: `${version}, with pgvector and pg_trgm`,
        directory,
        host: HOST,
        port,
        environment: { MOSAIC_TEST_DATABASE_URL: `postgres://${USER}:${password}@${HOST}:${port}/postgres` },
      };
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  },

  async isRunning({ directory }) {
    return control(directory, ["status"]).then(
      () => true,
      () => false,
    );
  },

  async stop(running) {
    if (await this.isRunning(running)) await control(running.directory, ["--mode", "immediate", "--wait", "stop"]);
    await rm(running.directory, { recursive: true, force: true });
  },
};

const dataOf = (directory: string): readonly string[] => ["--pgdata", join(directory, "data")];

async function control(directory: string, command: readonly string[]): Promise<string> {
  const home = await readFile(join(directory, "home"), "utf8");
  return run(join(home, "bin/pg_ctl"), [...dataOf(directory), ...command], { ...asOwner, cwd: directory });
}

/** The software where the server's user can reach it: a checkout under /root isn't, so there it's copied. */
async function runnable(software: string, directory: string): Promise<string> {
  const works = await run(join(software, POSTGRESQL_TREE, "bin/postgres"), ["--version"], {
    ...asOwner,
    cwd: "/",
  }).then(
    () => true,
    () => false,
  );
  if (works) return join(software, POSTGRESQL_TREE);
  const copy = join(directory, "software");
  await cp(software, copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, POSTGRESQL_TREE);
}

/** Free when asked; whoever takes it in the moment before the server does makes the start fail, which says so. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}
