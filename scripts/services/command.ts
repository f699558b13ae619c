import { spawn } from "node:child_process";

export interface CommandOptions {
  readonly cwd?: string;
  /** Runs it as this user and group. Only root may. */
  readonly owner?: number;
  /** On top of this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end and gives what it printed.
 *
 * @throws Error with the end of its standard error, where it fails or isn't there.
 */
export function run(program: string, parameters: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      stdio: "pipe",
      timeout: options.timeoutMs ?? 300_000,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.environment === undefined ? {} : { env: { ...process.env, ...options.environment } }),
      ...(options.owner === undefined ? {} : { uid: options.owner, gid: options.owner }),
    });
    let output = "";
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    child.on("error", (cause) => reject(new Error(`${program} can't be run: ${cause.message}`, { cause })));
    child.on("close", (status, signal) => {
      if (status === 0) resolve(output);
      else reject(new Error(`${program} ended with ${status ?? signal}: ${(complaint || output).trim().slice(-600)}`));
    });
    child.stdin.end();
  });
}
