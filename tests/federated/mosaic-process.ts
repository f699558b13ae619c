import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = join(import.meta.dirname, "../../apps/cli/bin/mosaic.js");

export interface Ran {
  readonly status: number | null;
  /** On a terminal, where the two are one: all of it. */
  readonly out: string;
  readonly err: string;
}

export interface MosaicOptions {
  readonly directory: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** On a wide terminal (a real one, of `script`), with one key pressed once something is asked. */
  readonly terminal?: { readonly key: string };
}

export interface RunningMosaic {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<Ran>;
}

/** Starts the command as people do, with nothing of this process's environment but the PATH. */
export function startMosaic(
  words: readonly string[],
  { directory, variables = {}, input = "", terminal }: MosaicOptions,
): RunningMosaic {
  const line = [process.execPath, BINARY, ...words];
  const quoted = line.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ");
  const [program = "", ...given] =
    terminal === undefined ? line : ["script", "-qec", `stty cols 300 rows 40; exec ${quoted}`, "/dev/null"];
  const child = spawn(program, given, {
    cwd: directory,
    env: { PATH: process.env["PATH"], HOME: directory, TMPDIR: tmpdir(), TERM: "xterm", ...variables },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let [out, err, pressed] = ["", "", false];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
    if (terminal === undefined || pressed || !out.includes("Yes")) return;
    pressed = true;
    child.stdin.write(terminal.key);
  });
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on("error", () => undefined);
  if (terminal === undefined) child.stdin.end(input);
  const ended = new Promise<Ran>((resolve) => child.on("close", (status) => resolve({ status, out, err })));
  return { child, out: () => out, ended };
}

export async function runMosaic(words: readonly string[], options: MosaicOptions): Promise<Ran> {
  return await startMosaic(words, options).ended;
}
