import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** A process of the benchmark that said it is ready. Whoever started it stops it. */
export interface Running {
  /** What it printed on standard output until it was ready. */
  readonly printed: string;
  /** From before it was made until it said it was ready. */
  readonly bootMs: number;
  /** Resident memory now, in bytes. NaN where the system has no /proc. */
  residentBytes(): number;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;

/** Without what this process was told of gateways and databases: a child has its own configuration. */
function plainEnvironment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOSAIC_|DATABASE_|VALKEY_)/.test(name));
  return { ...Object.fromEntries(own), ...extra };
}

/** `node --cpu-prof --import tsx benchmarks/run.ts` profiles the children too: each writes its own when it ends. */
const PROFILING = process.execArgv.filter((option) => option.startsWith("--cpu-prof"));

/**
 * Starts Node with `args` in `directory`, and waits until its output matches `ready`.
 * @param logFile where its standard error goes
 * @throws Error with its last words when it ends before, or takes longer than a minute
 */
export async function startProcess(
  args: readonly string[],
  where: {
    readonly directory: string;
    readonly ready: RegExp;
    readonly logFile: string;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<Running> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...PROFILING, ...args], {
    cwd: where.directory,
    env: plainEnvironment(where.environment ?? {}),
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.pipe(createWriteStream(where.logFile, { flags: "a" }));
  let printed = "";
  const ready = new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("it was not ready after a minute")), READY_TIMEOUT_MS);
    child.stdout.on("data", (part: Buffer) => {
      printed += part.toString();
      if (!where.ready.test(printed)) return;
      clearTimeout(late);
      resolve(performance.now() - startedAt);
    });
    child.once("exit", (status) => {
      clearTimeout(late);
      reject(new Error(`it ended with status ${status}`));
    });
  });
  try {
    const bootMs = await ready;
    return { printed, bootMs, residentBytes: () => residentBytes(child), stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    const log = readFileSync(where.logFile, "utf8").slice(-2000);
    throw new Error(`${args.join(" ")}\n${printed}\n${log}`, { cause: error });
  }
}

function residentBytes({ pid }: ChildProcess): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await ended;
  clearTimeout(late);
}
