import { spawnSync } from "node:child_process";

/** One process, told apart from a later one that was given the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it began, in `ps`'s words. */
  readonly began: string;
}

interface Row extends ProcessIdentity {
  readonly parent: number;
}

/**
 * Every process there is. A zombie isn't: it does nothing, and waits only for its parent to look. A zombie of this very
 * process is: Node looks in a moment, and until then its number is taken, which PostgreSQL's lock file minds.
 */
function processes(): readonly Row[] {
  const { stdout, error } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,stat=,lstart="], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  if (error !== undefined) throw new Error(`ps can't be run (Debian: apt-get install procps): ${error.message}`);
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, state, began] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*\S)\s*$/.exec(line) ?? [];
    if (pid === undefined || state === undefined || began === undefined) return [];
    if (state.startsWith("Z") && Number(parent) !== process.pid) return [];
    return [{ pid: Number(pid), parent: Number(parent), began }];
  });
}

/** What tells this process from a later one of its number. Nothing where there's no such process. */
export function identify(pid: number): ProcessIdentity | undefined {
  const row = processes().find((candidate) => candidate.pid === pid);
  return row === undefined ? undefined : { pid, began: row.began };
}

export function isAlive({ pid, began }: ProcessIdentity): boolean {
  return identify(pid)?.began === began;
}

/** It and all it started, parents first; nothing where it's gone. */
export function processTree(root: ProcessIdentity): readonly ProcessIdentity[] {
  const all = processes();
  const tree = all.filter(({ pid, began }) => pid === root.pid && began === root.began);
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid));
  return tree;
}

/** Stops them all where they are, until {@link resumeTree}: no parent starts another child meanwhile. */
export function pauseTree(root: ProcessIdentity): void {
  signal(processTree(root).slice(0, 1), "SIGSTOP");
  signal(processTree(root), "SIGSTOP");
}

export function resumeTree(root: ProcessIdentity): void {
  signal(processTree(root), "SIGCONT");
}

/** SIGKILL to them all, and returns when they're gone. */
export async function killTree(root: ProcessIdentity): Promise<void> {
  const tree = killTreeNow(root);
  await gone(tree, 10_000);
}

/** {@link killTree} without the wait, for a process that is ending itself. */
export function killTreeNow(root: ProcessIdentity): readonly ProcessIdentity[] {
  pauseTree(root);
  const tree = processTree(root);
  signal(tree, "SIGKILL");
  return tree;
}

/** Asks the first of them to end with its children, and kills those that are still there after 5 s. */
export async function endTree(root: ProcessIdentity, request: NodeJS.Signals): Promise<void> {
  const tree = processTree(root);
  resumeTree(root);
  signal(tree.slice(0, 1), request);
  await gone(tree, 5_000).catch(() => killTree(root));
}

function signal(targets: readonly ProcessIdentity[], name: NodeJS.Signals): void {
  for (const { pid } of targets) {
    try {
      process.kill(pid, name);
    } catch (error) {
      // It ended by itself meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

async function gone(expected: readonly ProcessIdentity[], timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const isThere = (): boolean => {
    const all = processes();
    return expected.some((one) => all.some(({ pid, began }) => pid === one.pid && began === one.began));
  };
  while (isThere()) {
    if (Date.now() > deadline) throw new Error(`process ${expected[0]?.pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Looking is synchronous and slow: without a turn of the loop in between, children that ended are never reaped.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
