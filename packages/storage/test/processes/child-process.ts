import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A TypeScript program of this folder, as a process of its own that talks in lines. */
export interface Child {
  readonly pid: number;
  send(line: string): void;
  /** Its next line; rejects, with what it complained of, if it ends first. */
  nextLine(): Promise<string>;
  /** Ends it and waits until it's gone. Default SIGKILL. Gives the lines it had printed that nobody took. */
  kill(): Promise<string[]>;
  signal(signal: NodeJS.Signals): void;
}

export function startChild(program: string, parameters: readonly string[] = []): Child {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", file, ...parameters], { stdio: ["pipe", "pipe", "pipe"] });
  const lines: string[] = [];
  const waiting: { take: (line: string) => void; fail: (error: Error) => void }[] = [];
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    const next = waiting.shift();
    if (next === undefined) lines.push(line);
    else next.take(line);
  });
  const ended = new Promise<void>((resolve) => {
    // "close", when the last line has been read too.
    child.once("close", () => {
      for (const { fail } of waiting.splice(0)) fail(new Error(`${program} ended: ${complaint.slice(-2_000)}`));
      resolve();
    });
  });
  return {
    pid: pidOf(child),
    send: (line) => child.stdin.write(`${line}\n`),
    nextLine: () => {
      const line = lines.shift();
      if (line !== undefined) return Promise.resolve(line);
      return new Promise((take, fail) => {
        if (child.exitCode === null && child.signalCode === null) waiting.push({ take, fail });
        else fail(new Error(`${program} ended: ${complaint.slice(-2_000)}`));
      });
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
      return lines;
    },
    signal: (signal) => child.kill(signal),
  };
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("the process didn't start");
  return child.pid;
}
