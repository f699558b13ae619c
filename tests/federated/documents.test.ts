import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterEach, describe, expect, test } from "vitest";
import { startPrivatePostgresql, startPrivateValkey } from "../../scripts/services/private-instances.ts";
import { postgresqlSoftware } from "../../scripts/services/postgresql-software.ts";
import { SOFTWARE_CACHE } from "../../scripts/services/state.ts";
import { commandsOf, type Step, stepsOf } from "./document-blocks.ts";
import { runDocument } from "./document-commands.ts";
import { rolesDatabase } from "./database-roles.ts";
import { newServerAuthority } from "./server-certificate.ts";

const ROOT = join(import.meta.dirname, "../..");

async function stepsOfFile(path: string, section?: string): Promise<Step[]> {
  return stepsOf(path, await readFile(join(ROOT, path), "utf8"), section);
}

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

/** What `mosaic setup` asks, and what is answered: the code is the one printed last. */
const ADA = {
  "setup code": (printed: string) => [...printed.matchAll(/setup code {2}(\S+)/g)].at(-1)?.[1],
  "Your name": "Ada",
  "e-mail": "ada@work.example",
  "The password": "correct horse battery staple",
  "The same again": "correct horse battery staple",
};

/** A reader's machine: an empty home, and `mosaic` on the PATH. */
async function newReader(): Promise<{ readonly directory: string; readonly path: string }> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "mosaic-document-")));
  opened.push(() => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));
  const programs = join(directory, ".programs");
  await mkdir(programs);
  const mosaic = join(programs, "mosaic");
  await writeFile(mosaic, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, "apps/cli/bin/mosaic.js")}' "$@"\n`);
  // In a checkout, npx finds the workspace's own command.
  const npx = join(programs, "npx");
  await writeFile(npx, `#!/bin/sh\n[ "$1" = mosaic ] || [ "$1" = tsx ] || exit 2\nexec "$@"\n`);
  await symlink(join(ROOT, "node_modules/.bin/tsx"), join(programs, "tsx"));
  for (const program of [mosaic, npx]) await chmod(program, 0o755);
  // The tools that read another version of PostgreSQL than the machine's own: those that came with the server.
  const { psql } = await postgresqlSoftware(SOFTWARE_CACHE, () => undefined);
  for (const tool of ["pg_dump", "pg_restore"]) await symlink(join(psql, "..", tool), join(programs, tool));
  return { directory, path: [programs, process.env["PATH"]].join(delimiter) };
}

/** What makes `go install` of this machine's user go on from what they have downloaded and compiled: it takes minutes without. */
async function goSettings(): Promise<Readonly<Record<string, string>>> {
  const names = ["GOPROXY", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOSUMDB", "GOTOOLCHAIN"];
  const { stdout } = await promisify(execFile)("go", ["env", "-json", ...names]);
  return JSON.parse(stdout) as Record<string, string>;
}

/** The first of two ports next to each other that are free. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

describe("docs/federation/SETUP.md", () => {
  test("does what it says, on services with TLS, from an empty folder", async () => {
    const { directory, path } = await newReader();
    const authority = await newServerAuthority();
    const tls = await authority.issue({ ipAddresses: ["127.0.0.1"] });
    const [database, valkey] = await Promise.all([startPrivatePostgresql({ tls }), startPrivateValkey({ tls })]);
    opened.push(
      () => database.stop(),
      () => valkey.stop(),
    );
    const superuser = await renameSuperuser(database, "postgres");

    // What the document takes for granted: an authority's certificate, Valkey's password, and psql's password file.
    const files = { ca: join(directory, "services.pem"), valkeyPassword: join(directory, "valkey-password") };
    await writeFile(files.ca, authority.root);
    await writeFile(files.valkeyPassword, `${valkey.password}\n`, { mode: 0o600 });
    await writeFile(join(directory, ".pgpass"), `*:*:*:${superuser.user}:${superuser.password}\n`, { mode: 0o600 });

    const [httpPort, federationPort] = [await freePorts(), await freePorts()];
    const stepCaPort = await freePorts();
    const counts = await runDocument({
      steps: await stepsOfFile("docs/federation/SETUP.md"),
      directory,
      path,
      edits: {
        CHECKOUT: ROOT,
        DATABASE_HOST: database.host,
        DATABASE_PORT: String(database.port),
        DATABASE_SUPERUSER: superuser.user,
        VALKEY: `rediss://${valkey.host}:${valkey.port}`,
        VALKEY_PASSWORD_FILE: files.valkeyPassword,
        SERVICES_CA: files.ca,
        HTTP_PORT: String(httpPort),
        FEDERATION_PORT: String(federationPort),
        STEP_CA_HOST: "127.0.0.1",
        STEP_CA_PORT: String(stepCaPort),
      },
      environment: await goSettings(),
      answers: ADA,
    });
    expect(counts).toMatchObject({ background: 4, stop: 2, typed: 1, container: 2 });
  }, 400_000);
});

describe("a gateway of one's own, as README.md makes it,", () => {
  test("moves to PostgreSQL as docs/guides/migrate-tier.md says", async () => {
    const { directory, path } = await newReader();
    const target = await rolesDatabase();
    opened.push(() => target.drop());
    const { database, owner } = target;
    const { host, port, name } = database.address;
    const passwordFile = join(directory, "target-password");
    await writeFile(passwordFile, `${owner.password}\n`, { mode: 0o600 });
    await mkdir(join(directory, "vault"));
    await writeFile(join(directory, "vault/garden.md"), "# Garden\n\nPrune the roses in March.\n");
    const httpPort = String(await freePorts());

    await runDocument({
      steps: [
        ...(await stepsOfFile("README.md", "## A gateway of your own")),
        { kind: "stop", at: "before docs/guides/migrate-tier.md" },
        ...(await stepsOfFile("docs/guides/migrate-tier.md")),
      ],
      directory,
      path,
      environment: {
        MOSAIC_HTTP_PORT: httpPort,
        MOSAIC_URL: `http://127.0.0.1:${httpPort}`,
        TARGET_URL: `postgresql://${owner.user}@${host}:${port}/${name}`,
        MOSAIC_TARGET_PASSWORD_FILE: passwordFile,
      },
      // The defaults of `mosaic init`.
      answers: { "What kind of gateway": "", "Folder for its data": "", "Address people open": "", ...ADA },
    });
    const rows = await database.run("select title from tasks union all select title from notes order by title");
    expect(rows).toEqual([{ title: "Garden" }, { title: "Try Mosaic" }]);
  }, 120_000);
});

describe("docs/federation/ADMIN-CLI.md", () => {
  test("prints what it says, on two gateways", async () => {
    const { directory, path } = await newReader();
    const [workPort, homePort] = [await freePorts(), await freePorts()];
    const counts = await runDocument({
      steps: await stepsOfFile("docs/federation/ADMIN-CLI.md"),
      directory,
      path,
      edits: {
        WORK_PORT: String(workPort),
        WORK_PEERS_PORT: String(workPort + 1),
        HOME_PORT: String(homePort),
        HOME_PEERS_PORT: String(homePort + 1),
      },
      answers: ADA,
    });
    expect(counts).toMatchObject({ background: 2, stop: 1, typed: 2, container: 0 });
    expect(counts.output).toBeGreaterThan(15);
  }, 300_000);
});

describe.each(["docs/federation/SETUP.md", "docs/federation/ADMIN-CLI.md", "docs/guides/migrate-tier.md"])(
  "%s",
  (document) => {
    test("has no block that is neither run nor in need of a container engine", async () => {
      const steps = await stepsOfFile(document);
      const fences = (await readFile(join(ROOT, document), "utf8")).match(/^[ >]*(```|~~~)sh\b/gm) ?? [];
      expect(steps.filter(({ kind }) => kind !== "output" && kind !== "stop")).toHaveLength(fences.length);
      const left = steps.flatMap((step) => (step.kind === "container" ? commandsOf(step.text) : []));
      for (const command of left) expect(command).toMatch(/^docker /);
    });
  },
);

interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A server's first superuser is called like this on most machines; the services' own is called as the gateway's role is. */
async function renameSuperuser(server: Login, name: string): Promise<Login> {
  const between = { ...server, user: "between" };
  await runAs(server, `create role between superuser login password '${server.password}'`);
  await runAs(between, `alter role ${server.user} rename to ${name}`);
  const renamed = { ...server, user: name };
  await runAs(renamed, "drop role between");
  return renamed;
}

async function runAs({ host, port, user, password, database }: Login, statement: string): Promise<void> {
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  await client.query(statement);
  await client.end();
}
