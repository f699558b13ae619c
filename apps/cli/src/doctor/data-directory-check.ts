import { constants } from "node:fs";
import { access, readdir, readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isId } from "@mosaicstack/foundation";
import { type Check, fault, ok } from "./check.ts";

const NAME = "data directory";

/**
 * Looks at the folder that keeps the data, without touching it.
 * @param isServed whether its gateway answers; whoever else has the folder open then is that gateway
 */
export async function checkDataDirectory(directory: string, isServed: boolean): Promise<Check> {
  const unusable = await whyUnusable(directory);
  if (unusable === "ENOENT") return ok(NAME, `${directory} is not there yet; the first start makes it`);
  if (unusable !== undefined)
    return fault(NAME, "data_directory_unusable", `${directory} can't be used (${unusable}).`);
  const holder = await lockHolder(directory);
  if (holder === undefined) return ok(NAME, `${directory}, open by nobody`);
  const { pid, since } = holder;
  if (holder.host !== undefined && holder.host !== hostname()) {
    return ok(NAME, `${directory}, opened by process ${pid} of ${holder.host} ${since}, which can't be seen from here`);
  }
  if (!isRunning(pid)) {
    return ok(NAME, `${directory}, left open by process ${pid}, which has ended; the next start recovers it`);
  }
  if (isServed) return ok(NAME, `${directory}, open by process ${pid} since ${since}`);
  return fault(
    NAME,
    "data_directory_locked",
    `Process ${pid} has had ${directory} open since ${since}, and the gateway does not answer.`,
    `Stop process ${pid} if it hangs, or give the gateway's address with --url if it listens elsewhere.`,
  );
}

/** Why the gateway could not use the folder, in a word; undefined: it could. */
async function whyUnusable(directory: string): Promise<string | undefined> {
  try {
    if (!(await stat(directory)).isDirectory()) return "not a folder";
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  }
}

interface Holder {
  readonly pid: number;
  readonly since: string;
  readonly host?: string;
}

/** Whether somebody has the folder open, or had it open when the machine or the process ended. */
export async function isLocked(directory: string): Promise<boolean> {
  const holder = await lockHolder(directory);
  if (holder === undefined) return false;
  return (holder.host !== undefined && holder.host !== hostname()) || isRunning(holder.pid);
}

/** Who has an embedded database open: the lock is a folder with one file, named by a token, that says so. */
async function lockHolder(directory: string): Promise<Holder | undefined> {
  for (const lock of [join(directory, "lock"), join(directory, "database", "lock")]) {
    const names = await readdir(lock).catch(() => []);
    const token = names.find(isId);
    if (token === undefined) continue;
    try {
      const said: unknown = JSON.parse(await readFile(join(lock, token), "utf8"));
      const { pid, since, host } = said as Partial<Record<keyof Holder, unknown>>;
      if (typeof pid !== "number" || typeof since !== "string") continue;
      return { pid, since, ...(typeof host === "string" ? { host } : {}) };
    } catch {
      // Released in between: nobody has it open.
    }
  }
  return undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be signalled, and runs.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
