import { type ChildProcess, spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Step } from "./document-blocks.ts";

/** How long one block may take, and one that runs on may take to print what the document says. */
const BLOCK_MS = 60_000;
const STOP_MS = 20_000;

export interface DocumentRun {
  readonly steps: readonly Step[];
  /** Where the shell starts: an empty folder, which is its HOME too. */
  readonly directory: string;
  readonly path: string;
  /** What the reader's shell has beside PATH and HOME. */
  readonly environment?: Readonly<Record<string, string>>;
  /** For `export NAME=…` in a block `run: edit`: what stands there instead. Each has to be there, and no other may. */
  readonly edits?: Readonly<Record<string, string>>;
  /**
   * What is typed when a `run: typed` block asks: the answer to the first question that contains the key. A function gets
   * what the blocks in the background have printed, and answers undefined until that has what it looks for.
   */
  readonly answers?: Readonly<Record<string, string | ((printed: string) => string | undefined)>>;
}

/** How many blocks were run, of each kind. */
export type Counts = Readonly<Record<Step["kind"], number>>;

/**
 * Runs a document's blocks in order, in one bash with `set -euo pipefail`.
 * @throws Error with the block's line and what it printed, for the first that does not do what the document says
 */
export async function runDocument(run: DocumentRun): Promise<Counts> {
  const counts = { run: 0, edit: 0, background: 0, typed: 0, container: 0, output: 0, stop: 0 };
  const session = new Session(run);
  try {
    for (const step of run.steps) {
      await session.take(step).catch((error: unknown) => {
        throw new Error(`${step.at}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      });
      counts[step.kind] += 1;
    }
    await session.end();
    return counts;
  } finally {
    session.kill();
  }
}

/** A process with all it printed, on either stream. */
class Program {
  readonly child: ChildProcess;
  readonly #ended: Promise<number | string>;
  printed = "";

  constructor(command: readonly [string, ...string[]], options: { cwd: string; env: NodeJS.ProcessEnv }) {
    const [program, ...words] = command;
    // A group of its own, to be told to stop as a terminal's Ctrl-C would tell it.
    this.child = spawn(program, words, { ...options, detached: true, stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdout?.on("data", (chunk: Buffer) => (this.printed += chunk.toString()));
    this.child.stderr?.on("data", (chunk: Buffer) => (this.printed += chunk.toString()));
    this.#ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (status, signal) => resolve(status ?? String(signal)));
    });
    this.#ended.catch(() => undefined);
  }

  /** Its status, or the signal that ended it. */
  async ended(withinMs: number): Promise<number | string> {
    return await within(withinMs, this.#ended, () => `it does not end:\n${this.printed}`);
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    if (this.child.pid !== undefined && this.isRunning) process.kill(-this.child.pid, name);
  }
}

class Session {
  readonly #run: DocumentRun;
  readonly #shell: Program;
  readonly #background: Program[] = [];
  /** The document's values that were edited, with what stands there now. */
  readonly #edited = new Map<string, string>();
  readonly #found = new Set<string>();
  /** All that typed and background blocks printed, from which a person would copy. */
  #last: Pick<Program, "printed" | "isRunning"> = { printed: "", isRunning: false };
  #blocks = 0;

  constructor(run: DocumentRun) {
    this.#run = run;
    const env = { PATH: run.path, HOME: run.directory, LANG: "C.UTF-8", ...run.environment };
    this.#shell = new Program(["bash", "--noprofile", "--norc"], { cwd: run.directory, env });
    // One stream, so that all of a block is there before the line that says how it ended.
    this.#shell.child.stdin?.write("exec 2>&1\n");
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "run":
        return await this.#source(step.text, step.status);
      case "edit":
        return await this.#source(this.#edit(step.text), 0);
      case "background":
        this.#last = await this.#start(["bash", "-euo", "pipefail", await this.#fileOf(step.text)]);
        this.#background.push(this.#last as Program);
        return;
      case "typed":
        return await this.#type(step.text);
      case "output":
        return await this.#compare(step.text);
      case "stop":
        return await this.#stop(this.#background.pop());
      case "container":
    }
  }

  async end(): Promise<void> {
    const missing = Object.keys(this.#run.edits ?? {}).filter((name) => !this.#found.has(name));
    if (missing.length > 0) throw new Error(`the document does not have ${missing.join(", ")}`);
    while (this.#background.length > 0) await this.#stop(this.#background.pop());
    this.#shell.child.stdin?.end();
    await this.#shell.ended(STOP_MS);
  }

  kill(): void {
    for (const program of [...this.#background, this.#shell]) program.signal("SIGKILL");
  }

  async #fileOf(text: string): Promise<string> {
    const file = join(this.#run.directory, `.block-${(this.#blocks += 1)}`);
    await writeFile(file, `${text}\n`);
    return file;
  }

  async #source(text: string, status: number): Promise<void> {
    const file = await this.#fileOf(text);
    const done = `${file} ended with `;
    const from = this.#shell.printed.length;
    // In the same shell, so that what it sets stays; one that has to fail would take the shell with it.
    const command = `${status === 0 ? "." : "bash -euo pipefail"} ${file} </dev/null${status === 0 ? "" : " || ended=$?"}`;
    this.#shell.child.stdin?.write(
      `set -euo pipefail; ended=0\n${command}\nset +eu; printf '\\n%s\\n' "${done}$ended"\n`,
    );
    const ended = await this.#until(
      () => {
        const end = new RegExp(`^${done}(\\d+)$`, "m").exec(this.#shell.printed.slice(from));
        if (end === null && !this.#shell.isRunning) {
          throw new Error(`it failed:\n${text}\n\n${this.#shell.printed.slice(from)}`);
        }
        return end;
      },
      () => `it does not end:\n${this.#shell.printed.slice(from)}`,
    );
    const printed = this.#shell.printed.slice(from, from + ended.index);
    if (Number(ended[1]) !== status) throw new Error(`it ended with ${ended[1]}, not ${status}:\n${printed}`);
    this.#last = { printed, isRunning: false };
  }

  #edit(text: string): string {
    const { edits = {} } = this.#run;
    return text.replaceAll(/^(export ([A-Z_]+)=)(\S+)/gm, (_, assignment: string, name: string, value: string) => {
      const own = edits[name];
      if (own === undefined) throw new Error(`the test has no value for ${name}`);
      this.#found.add(name);
      if (value.length > 3) this.#edited.set(value, own);
      return `${assignment}'${own}'`;
    });
  }

  /** A process with the shell's folder and exported variables, as a second terminal would have after the same commands. */
  async #start(command: readonly [string, ...string[]]): Promise<Program> {
    const state = join(this.#run.directory, ".environment");
    await this.#source(`{ pwd; env -0; } >${state}`, 0);
    const [cwd = "", ...rest] = (await readFile(state, "utf8")).split("\n");
    const variables = rest
      .join("\n")
      .split("\0")
      .filter((entry) => entry.includes("="));
    const env = Object.fromEntries(
      variables.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    );
    return new Program(command, { cwd, env });
  }

  async #type(text: string): Promise<void> {
    const file = await this.#fileOf(text);
    const program = await this.#start(["script", "-qefc", `stty cols 200; bash -euo pipefail ${file}`, "/dev/null"]);
    const left = new Map(Object.entries(this.#run.answers ?? {}));
    const { stdin } = program.child;
    let answeredTo = 0;
    const answering = setInterval(() => {
      const question = stripVTControlCharacters(program.printed.slice(answeredTo));
      const asked = [...left].find(([prompt]) => question.includes(prompt));
      if (asked === undefined) return;
      const [prompt, given] = asked;
      const printed = this.#background.map((running) => running.printed).join("\n");
      const answer = typeof given === "string" ? given : given(printed);
      if (answer === undefined) return;
      left.delete(prompt);
      answeredTo = program.printed.length;
      stdin?.write(`${answer}\r`);
    }, 300);
    try {
      const status = await program.ended(BLOCK_MS);
      if (status !== 0) throw new Error(`it ended with ${status}:\n${stripVTControlCharacters(program.printed)}`);
    } finally {
      clearInterval(answering);
      program.signal("SIGKILL");
    }
    this.#last = program;
  }

  async #compare(text: string): Promise<void> {
    let expected = text;
    for (const [value, own] of this.#edited) expected = expected.replaceAll(value, own);
    const lines = expected.split("\n").map((line) => line.trimEnd().split("…").map(escapeForPattern).join(".*"));
    const pattern = new RegExp(`^${lines.join("\n")}$`, "m");
    const last = this.#last;
    const seen = (): string =>
      stripVTControlCharacters(last.printed)
        .split("\n")
        .map((line) => line.trimEnd())
        .join("\n");
    await this.#until(
      () => {
        const isRunning = last.isRunning;
        if (pattern.test(seen())) return true;
        if (!isRunning) throw new Error(`it should print\n${expected}\n\nand prints\n${seen()}`);
        return null;
      },
      () => `it should print\n${expected}\n\nand prints\n${seen()}`,
    );
  }

  async #stop(program: Program | undefined): Promise<void> {
    if (program === undefined) throw new Error("nothing runs that could be stopped");
    program.signal("SIGINT");
    const status = await program.ended(STOP_MS);
    if (status !== 0) throw new Error(`stopped by Ctrl-C, it ended with ${status}:\n${program.printed}`);
  }

  async #until<Found>(look: () => Found | null, complaint: () => string): Promise<Found> {
    const deadline = performance.now() + BLOCK_MS;
    for (;;) {
      const found = look();
      if (found !== null) return found;
      if (performance.now() > deadline) throw new Error(complaint());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function within<Value>(limitMs: number, value: Promise<Value>, complaint: () => string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(complaint())), limitMs);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}

function escapeForPattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
