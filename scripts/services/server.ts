import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endTree, identify, isAlive, killTreeNow, type ProcessIdentity } from "./process-tree.ts";

/** A server whose data and configuration are made: all it takes to start it, the first time and again. */
export interface Server {
  readonly name: string;
  /** What it is, with its version: for people. */
  readonly description: string;
  /** Holds its data and its log; also its working directory. */
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly program: string;
  /** No secrets: every user of the machine can read them. */
  readonly parameters: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Runs it as this user and group. Only root may. */
  readonly owner?: number;
  /** How it's asked to end, children and all. */
  readonly endsOn: NodeJS.Signals;
  /** Whether it serves, asked once. Throws, or says no, as long as it doesn't. */
  answers(): Promise<boolean>;
}

const START_TIMEOUT_MS = 30_000;

/** What must not outlive this process, by directory. */
const mortal = new Map<string, ProcessIdentity>();
process.once("exit", () => {
  for (const identity of mortal.values()) killTreeNow(identity);
});

/**
 * Starts it, and returns when it serves.
 *
 * @param outlives whether it runs on when this process ends
 * @throws Error with the end of its log, where it ends or doesn't serve within 30 s
 */
export async function startServer(server: Server, { outlives }: { readonly outlives: boolean }): Promise<void> {
  const { name, directory, owner } = server;
  const log = openSync(join(directory, "log"), "a", 0o600);
  const child = spawn(server.program, server.parameters, {
    cwd: directory,
    stdio: ["ignore", log, log],
    detached: outlives,
    env: { ...process.env, ...server.environment },
    ...(owner === undefined ? {} : { uid: owner, gid: owner }),
  });
  closeSync(log);
  let failure: string | undefined;
  child.once("error", (error) => (failure = `can't be run: ${error.message}`));
  child.once("exit", (status, signal) => (failure = `ended with ${status ?? signal}`));
  child.unref();
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity !== undefined) {
    await writeFile(identityFile(directory), JSON.stringify(identity));
    if (!outlives) mortal.set(directory, identity);
  }
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await server.answers().catch(() => false))) {
    if (failure === undefined && Date.now() > deadline) failure = "doesn't serve after 30 s";
    if (failure !== undefined) {
      if (identity !== undefined) await endTree(identity, "SIGKILL");
      const said = await readFile(join(directory, "log"), "utf8").catch(() => "");
      throw new Error(`${name} ${failure}. The end of its log:\n${said.trim().slice(-800)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The process that {@link startServer} started on this directory, as long as it runs. */
export function runningProcess(directory: string): ProcessIdentity | undefined {
  try {
    const identity = JSON.parse(readFileSync(identityFile(directory), "utf8")) as ProcessIdentity;
    return isAlive(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
}

/** Ends what runs on this directory, and removes the directory. */
export async function removeServer(directory: string, endsOn: NodeJS.Signals): Promise<void> {
  const running = runningProcess(directory);
  if (running !== undefined) await endTree(running, endsOn);
  mortal.delete(directory);
  await rm(directory, { recursive: true, force: true });
}

function identityFile(directory: string): string {
  return join(directory, "process.json");
}
