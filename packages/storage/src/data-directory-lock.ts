import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isId, type Problem, systemClock } from "@mosaicstack/foundation";
import { type ProcessIdentity, processState, thisProcess } from "./process-identity.ts";
import { problem } from "./problems.ts";

export interface DataDirectoryLock {
  /** Idempotent. */
  release(): Promise<void>;
}

export interface DataDirectoryLockOptions {
  /** Told once if another process took the lock over, thinking this one dead. Nothing may be written from then on. */
  readonly onLost?: (problem: Problem) => void;
  /** How often a holder shows that it lives. Default 3,000. */
  readonly heartbeatMs?: number;
  /** A holder that can't be looked up (another container, another machine) is dead after this silence. Default 15,000. */
  readonly staleMs?: number;
}

interface Holder extends ProcessIdentity {
  readonly since: string;
}

const POLL_MS = 200;

/**
 * Keeps a second process off an embedded database, which has no lock of its own and is corrupted by two writers.
 *
 * The lock is a folder `lock` with one file in it, named by a token no other holder ever has. Taking it is one rename of a
 * folder prepared elsewhere, which the file system refuses while `lock` isn't empty. Recovering it from a dead holder is
 * removing that holder's file *by its own name*, then renaming like anyone else: however late one of several recoverers
 * comes, it can't remove the file of whoever won meanwhile. So exactly one wins, and a kill at any point leaves either
 * a lock whose holder is dead or no lock, and at most a prepared folder, which a later holder removes.
 *
 * Whether a holder lives is looked up where pids can be compared, so a kill is noticed at once; otherwise by its heartbeat.
 *
 * @param directory absolute; made if it isn't there.
 * @throws Problem data_directory_locked (`holder`: pid, host, since), data_directory_unusable
 */
export async function lockDataDirectory(
  directory: string,
  { onLost, heartbeatMs = 3_000, staleMs = 15_000 }: DataDirectoryLockOptions = {},
): Promise<DataDirectoryLock> {
  const token = randomUUID();
  const lock = join(directory, "lock");
  const prepared = join(directory, `lock.${token}`);
  try {
    await mkdir(prepared, { recursive: true, mode: 0o700 });
    const holder: Holder = { ...thisProcess(), since: systemClock.now().toISOString() };
    await writeFile(join(prepared, token), JSON.stringify(holder));
    while (!(await moveIntoPlace(prepared, lock))) await clearDeadHolder(lock, join(prepared, token), staleMs);
    await clearAbandoned(directory, join(lock, token), 4 * staleMs).catch(() => undefined); // They hinder nobody.
  } catch (error) {
    await rm(prepared, { recursive: true, force: true }).catch(() => undefined);
    if (isSystemError(error)) throw unusable(directory, error);
    throw error;
  }

  const mine = join(lock, token);
  const heartbeat = setInterval(() => {
    beat(mine).catch((error: unknown) => {
      if (!isSystemError(error) || error.code !== "ENOENT") return; // A full or slow disk says nothing about the lock.
      clearInterval(heartbeat);
      onLost?.(
        problem("data_directory_locked", { detail: `The lock on ${directory} was taken over by another process.` }),
      );
    });
  }, heartbeatMs);
  heartbeat.unref();

  let released: Promise<void> | undefined;
  return {
    release: () => {
      clearInterval(heartbeat);
      return (released ??= unlink(mine)
        .then(() => rmdir(lock))
        .catch(() => undefined)); // Gone, or another's already.
    },
  };
}

async function moveIntoPlace(prepared: string, lock: string): Promise<boolean> {
  // Only an empty folder can be removed. Needed on Windows alone, which doesn't rename over an empty one.
  await rmdir(lock).catch(() => undefined);
  try {
    await rename(prepared, lock);
    return true;
  } catch (error) {
    if (isSystemError(error) && ["ENOTEMPTY", "EEXIST", "EPERM"].includes(error.code ?? "")) {
      // Windows says EPERM for "not empty"; anyone may say it for "not yours".
      if (error.code !== "EPERM" || (await isThere(lock))) return false;
    }
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Returns when the lock may be tried again. */
async function clearDeadHolder(lock: string, own: string, staleMs: number): Promise<void> {
  try {
    const names = await readdir(lock);
    const name = names.find(isId);
    if (name === undefined) {
      if (names.length === 0) return;
      throw problem("data_directory_unusable", {
        detail: `${lock} holds files that are not a lock's: ${names.join(", ")}.`,
        remedy: `Make sure nothing uses the data directory, then remove ${lock}.`,
      });
    }
    const file = join(lock, name);
    const holder = parseHolder(await readFile(file, "utf8"));
    if (await lives(file, own, holder, staleMs)) throw locked(lock, holder);
    await unlink(file);
  } catch (error) {
    // Someone else has cleared it, or its holder released it.
    if (!isSystemError(error) || error.code !== "ENOENT") throw error;
  }
}

/** Folders prepared by processes that were killed before they could move them; nobody waits for the lock for so long. */
async function clearAbandoned(directory: string, own: string, ageMs: number): Promise<void> {
  const { mtimeMs: now } = await stat(own);
  for (const name of await readdir(directory)) {
    const [, token] = /^lock\.(.+)$/.exec(name) ?? [];
    if (token === undefined || !isId(token)) continue;
    const prepared = join(directory, name);
    const seen = await stat(prepared).catch(() => undefined); // Gone: moved into place, or given up.
    if (seen !== undefined && now - seen.mtimeMs > ageMs) await rm(prepared, { recursive: true, force: true });
  }
}

async function lives(file: string, own: string, holder: Holder | null, staleMs: number): Promise<boolean> {
  const state = holder === null ? "unknown" : processState(holder);
  if (state !== "unknown") return state === "alive";
  // Ages are differences of two times the file system stamped, so that no machine's clock matters.
  const seenFirst = (await stat(file)).mtimeMs;
  const began = performance.now();
  for (;;) {
    await beat(own);
    const [seen, now] = [(await stat(file)).mtimeMs, (await stat(own)).mtimeMs];
    if (seen !== seenFirst) return true;
    if (now - seen > staleMs || performance.now() - began > staleMs) return false;
    await sleep(POLL_MS);
  }
}

/** Writes the first byte as it is: the file system stamps the time, and a reader never sees half a file. Fails where it's gone. */
async function beat(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.write("{", 0);
  } finally {
    await handle.close();
  }
}

function locked(lock: string, holder: Holder | null): Problem {
  if (holder === null) return problem("data_directory_locked", { extensions: { lock } });
  const { pid, host, since } = holder;
  return problem("data_directory_locked", {
    detail: `Process ${pid} on ${host} has had this data directory open since ${since} (${lock}).`,
    remedy: `Stop process ${pid} on ${host}, or give this one its own data directory.`,
    extensions: { lock, holder: { pid, host, since } },
  });
}

function unusable(directory: string, cause: NodeJS.ErrnoException): Problem {
  return problem("data_directory_unusable", {
    detail: `The data directory ${directory} can't be used: ${cause.code ?? "unknown cause"}.`,
    cause,
  });
}

/** null: written by hand, or by a version that wrote it otherwise. Its heartbeat still tells. */
function parseHolder(text: string): Holder | null {
  try {
    const { pid, host, space, startedAtTicks, since } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    const ticks = typeof startedAtTicks === "string" ? startedAtTicks : null;
    if (typeof pid !== "number" || typeof host !== "string" || typeof space !== "string" || typeof since !== "string")
      return null;
    return { pid, host, space, startedAtTicks: ticks, since };
  } catch {
    return null;
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
