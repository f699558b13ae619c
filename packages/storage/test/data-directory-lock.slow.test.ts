import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newId, Problem } from "@mosaicstack/foundation";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DataDirectoryLockOptions, lockDataDirectory } from "../src/data-directory-lock.ts";
import { type ProcessIdentity, thisProcess } from "../src/process-identity.ts";
import { type Child, startChild } from "./processes/child-process.ts";

let directory: string;
let children: Child[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mosaic-lock-"));
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await rm(directory, { recursive: true, force: true });
});

function contender(): Child {
  const child = startChild("./contend-for-lock.ts");
  children.push(child);
  return child;
}

async function ask(child: Child, line: string): Promise<string> {
  child.send(line);
  return child.nextLine();
}

/** A lock as some holder left it, silent for so long. */
async function leaveLock(holder: ProcessIdentity, silentMs = 0, where = directory): Promise<string> {
  const file = join(where, "lock", newId());
  await mkdir(join(where, "lock"), { recursive: true });
  await writeFile(file, JSON.stringify({ ...holder, since: "2026-02-03T04:05:06.789Z" }));
  const at = new Date(Date.now() - silentMs);
  await utimes(file, at, at);
  return file;
}

const elsewhere: ProcessIdentity = { pid: 1, host: "5f1c0ffee", space: "another boot pid:[1]", startedAtTicks: "1" };

/** Takes the lock and gives it back; how long the taking took, in milliseconds. */
async function takeOver(options: DataDirectoryLockOptions = {}): Promise<number> {
  const began = performance.now();
  const lock = await lockDataDirectory(directory, options);
  const tookMs = performance.now() - began;
  await lock.release();
  return tookMs;
}

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Problem) return error;
  throw new Error(`expected a Problem, got ${String(error)}`);
}

describe("a second process", () => {
  test("is refused, and told who holds the directory and what to do", async () => {
    const holder = contender();
    expect(await ask(holder, `take ${directory}`)).toBe("won");
    const { code, status, details } = await refusal(lockDataDirectory(directory));
    expect([code, status]).toEqual(["data_directory_locked", 503]);
    expect(details["holder"]).toMatchObject({
      pid: holder.pid,
      host: thisProcess().host,
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
    });
    expect(details.detail).toContain(`Process ${holder.pid}`);
    expect(details.remedy).toContain(`Stop process ${holder.pid}`);
  });

  test("may have it once the first has released it, which leaves nothing behind", async () => {
    const lock = await lockDataDirectory(directory);
    const other = contender();
    expect(await ask(other, `take ${directory}`)).toBe("data_directory_locked");
    await Promise.all([lock.release(), lock.release()]);
    expect(await ask(other, `take ${directory}`)).toBe("won");
    expect(await ask(other, "release")).toBe("released");
    expect(await readdir(directory)).toEqual([]);
  });

  test("is refused while the first is merely stopped, however long its heartbeat is silent", async () => {
    const holder = contender();
    expect(await ask(holder, `take ${directory}`)).toBe("won");
    holder.signal("SIGSTOP");
    const [name = ""] = await readdir(join(directory, "lock"));
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(join(directory, "lock", name), longAgo, longAgo);
    expect((await refusal(lockDataDirectory(directory))).code).toBe("data_directory_locked");
  });
});

test("the same process is refused a second time", async () => {
  const lock = await lockDataDirectory(directory);
  const problem = await refusal(lockDataDirectory(directory));
  expect(problem.details["holder"]).toMatchObject({ pid: process.pid });
  await lock.release();
  await (await lockDataDirectory(directory)).release();
});

describe("a holder that is gone", () => {
  test("after SIGKILL is replaced at once", async () => {
    const holder = contender();
    expect(await ask(holder, `take ${directory}`)).toBe("won");
    await holder.kill();
    expect(await takeOver()).toBeLessThan(500);
  });

  test("before it had the lock left a folder, which the next holder removes once it can be nobody's", async () => {
    const [abandoned, prepared] = [`lock.${newId()}`, `lock.${newId()}`];
    for (const name of [abandoned, prepared]) await mkdir(join(directory, name));
    const longAgo = new Date(Date.now() - 61_000);
    await utimes(join(directory, abandoned), longAgo, longAgo);
    await takeOver();
    expect(await readdir(directory)).toEqual([prepared]);
  });

  test("is told apart from another process that got its pid", async () => {
    await leaveLock({ ...thisProcess(), pid: process.ppid, startedAtTicks: "12" });
    expect(await takeOver()).toBeLessThan(500);
  });

  test("in a container of the same number, restarted, is replaced at once", async () => {
    // Pid 1 again in the new container; the kernel may even number its namespace the same.
    await leaveLock({ ...thisProcess(), startedAtTicks: "12" });
    expect(await takeOver()).toBeLessThan(500);
  });

  test("on another machine is replaced when silent for longer than the limit", async () => {
    await leaveLock(elsewhere, 16_000);
    expect(await takeOver()).toBeLessThan(500);
  });

  test("on another machine is waited for when it may still be alive", async () => {
    await leaveLock(elsewhere, 0);
    expect(await takeOver({ staleMs: 1_000 })).toBeGreaterThan(900);
  });

  test("on a machine whose clock is ahead is replaced too", async () => {
    await leaveLock(elsewhere, -3_600_000);
    expect(await takeOver({ staleMs: 500 })).toBeGreaterThan(400);
  });

  test("that wrote nothing readable is replaced after its silence", async () => {
    const file = await leaveLock(elsewhere);
    await writeFile(file, "");
    expect(await takeOver({ staleMs: 500 })).toBeGreaterThan(400);
  });
});

test("a holder on another machine that shows its heartbeat is not replaced", async () => {
  const file = await leaveLock(elsewhere);
  const heartbeat = setInterval(() => void utimes(file, new Date(), new Date()), 100);
  try {
    const problem = await refusal(lockDataDirectory(directory));
    expect(problem.details["holder"]).toMatchObject({ pid: 1, host: "5f1c0ffee" });
    expect(problem.details.remedy).toContain("on 5f1c0ffee");
  } finally {
    clearInterval(heartbeat);
  }
});

test("a holder shows its heartbeat, and its record stays whole", async () => {
  const lock = await lockDataDirectory(directory, { heartbeatMs: 30 });
  const [name = ""] = await readdir(join(directory, "lock"));
  const file = join(directory, "lock", name);
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(file, longAgo, longAgo);
  const before = await readFile(file, "utf8");
  await sleep(200);
  // Were it silent, one second would do to replace it.
  await writeFile(file, before.replace(thisProcess().space, elsewhere.space));
  expect((await refusal(lockDataDirectory(directory, { staleMs: 1_000 }))).code).toBe("data_directory_locked");
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ pid: process.pid });
  await lock.release();
});

test(
  "of many processes that find the same dead holder, exactly one wins, every time",
  { timeout: 60_000 },
  async () => {
    const contenders = Array.from({ length: 8 }, contender);
    const dead: ProcessIdentity = { ...thisProcess(), startedAtTicks: "12" };
    for (let round = 0; round < 25; round += 1) {
      const where = join(directory, `round-${round}`);
      // Even rounds begin with a dead holder, odd ones with none at all.
      if (round % 2 === 0) await leaveLock(dead, 0, where);
      const answers = await Promise.all(contenders.map((child) => ask(child, `take ${where}`)));
      expect(answers.toSorted()).toEqual([...Array<string>(7).fill("data_directory_locked"), "won"]);
      expect(await readdir(where)).toEqual(["lock"]);
      await Promise.all(contenders.map((child) => ask(child, "release")));
      expect(await readdir(where)).toEqual([]);
    }
  },
);

test("a holder whose lock was taken over is told, once", async () => {
  const told: string[] = [];
  const lock = await lockDataDirectory(directory, { heartbeatMs: 30, onLost: ({ code }) => told.push(code) });
  await rm(join(directory, "lock"), { recursive: true });
  const other = await lockDataDirectory(directory);
  await sleep(200);
  expect(told).toEqual(["data_directory_locked"]);
  await lock.release();
  expect((await refusal(lockDataDirectory(directory))).code).toBe("data_directory_locked");
  await other.release();
});

describe("a directory that can't be used", () => {
  test("because it's a file", async () => {
    await writeFile(join(directory, "file"), "");
    const { code, details } = await refusal(lockDataDirectory(join(directory, "file")));
    expect(code).toBe("data_directory_unusable");
    expect(details.detail).toContain("ENOTDIR");
  });

  test("because something else put files where the lock goes", async () => {
    await mkdir(join(directory, "lock"));
    await writeFile(join(directory, "lock", "readme.txt"), "");
    const { code, details } = await refusal(lockDataDirectory(directory));
    expect(code).toBe("data_directory_unusable");
    expect(details.detail).toContain("readme.txt");
    expect(existsSync(join(directory, "lock", "readme.txt"))).toBe(true);
    expect(await readdir(directory)).toEqual(["lock"]);
  });
});
