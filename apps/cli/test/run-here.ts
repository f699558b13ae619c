import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { systemClock } from "@mosaicstack/foundation";
import { onTestFinished } from "vitest";
import { readEnvironment } from "../src/environment.ts";
import type { Host } from "../src/host.ts";
import { runCommand } from "../src/program.ts";

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly directory?: string;
  readonly variables?: Record<string, string>;
  readonly input?: string;
  /** A terminal, and the keys pressed on it, one after the other. */
  readonly terminal?: { readonly keys: readonly string[]; readonly columns?: number };
}

const STILL_MS = 40;

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mosaic-cli-"));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Standard input of somebody who waits for what is asked, and presses a key once the screen is still. */
function typing(keys: readonly string[], screen: PassThrough): PassThrough {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const left = [...keys];
  let still: NodeJS.Timeout | undefined;
  screen.on("data", () => {
    clearTimeout(still);
    still = setTimeout(() => {
      const key = left.shift();
      if (key !== undefined) stdin.write(key);
    }, STILL_MS);
  });
  return stdin;
}

/** A machine of a test's own, whose standard output and error are kept. */
export function testHost(
  directory: string,
  { variables = {}, input = "", terminal }: RunOptions = {},
): {
  readonly host: Host;
  readonly out: () => string;
  readonly err: () => string;
} {
  const keep = (stream: PassThrough): (() => string) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString("utf8");
  };
  const outlet = (): PassThrough =>
    terminal === undefined
      ? new PassThrough()
      : Object.assign(new PassThrough(), { isTTY: true, columns: terminal.columns ?? 80, rows: 24 });
  const [stdout, stderr] = [outlet(), outlet()];
  const host: Host = {
    stdin: terminal === undefined ? Readable.from([Buffer.from(input)]) : typing(terminal.keys, stderr),
    stdout,
    stderr,
    environment: readEnvironment({ HOME: directory, ...variables }),
    directory,
    clock: systemClock,
    signal: new AbortController().signal,
    releaseSignals: () => undefined,
  };
  return { host, out: keep(stdout), err: keep(stderr) };
}

/** Runs a command line in this process. */
export async function runHere(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const directory = options.directory ?? (await temporaryFolder());
  const { host, out, err } = testHost(directory, options);
  const status = await runCommand(words, host);
  return { status, out: out(), err: err() };
}
