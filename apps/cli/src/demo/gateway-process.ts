import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { redact } from "@mosaicstack/foundation";
import { cliProblem } from "../problems.ts";
import { terminalText } from "../terminal-text.ts";

/** How this very command is run again: Node, its flags, and the script. */
export interface CommandLine {
  readonly program: string;
  readonly words: readonly string[];
}

/** A gateway that runs as a process of its own, `mosaic start` in its folder. */
export interface GatewayProcess {
  readonly name: string;
  /** Resolves when it answers, with the setup code of a new gateway. @throws Problem `demo_gateway_failed` */
  readonly ready: Promise<string | undefined>;
  /** Resolves when it has ended, with the reason in words. */
  readonly ended: Promise<string>;
  /** Sends SIGTERM and waits until it has drained and ended. */
  stop(): Promise<void>;
}

/** Longer than a gateway takes to drain. */
const STOP_MS = 15_000;
const KEPT_LINES = 12;

/** What of the caller's environment a gateway needs. Nothing else goes along: no setting, no password. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "TMP", "TEMP", "SystemRoot", "LANG", "LC_ALL", "TZ", "NODE_OPTIONS"];

/** Starts a gateway with the configuration file in `folder`. It ends when this process does, even when that is killed. */
export function startGatewayProcess(options: {
  readonly name: string;
  readonly folder: string;
  readonly command: CommandLine;
  readonly variables: Readonly<Record<string, string | undefined>>;
}): GatewayProcess {
  const { name, folder, command, variables } = options;
  const child = spawn(command.program, [...command.words, "start", "--json", "--until-input-ends"], {
    cwd: folder,
    env: Object.fromEntries(PASSED_ON.map((key) => [key, variables[key]])),
    stdio: ["pipe", "pipe", "pipe"],
    // A session of its own: Ctrl-C reaches the demo alone, which then stops its gateways in order.
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  child.stdin.on("error", () => undefined);
  const lastLines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    lastLines.push(line);
    if (lastLines.length > KEPT_LINES) lastLines.shift();
  });

  const ended = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(`it could not be started: ${error.message}`));
    child.on("close", (status, signal) => resolve(signal === null ? `it ended with status ${status}` : `by ${signal}`));
  });
  const ready = new Promise<string | undefined>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const said = readyOf(line);
      if (said !== undefined) resolve(said.setup_code);
    });
    // Where it was ready before, this is no news to anybody.
    void ended.then((reason) => {
      const said = terminalText(redact(lastLines.join("\n")));
      reject(
        cliProblem("demo_gateway_failed", {
          detail: `The gateway "${name}" did not start: ${reason}.\n${said}`.trim(),
        }),
      );
    });
  });
  // Whoever waits for it hears of it; where nobody does, another failure came first.
  ready.catch(() => undefined);

  return {
    name,
    ready,
    ended,
    async stop() {
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      child.kill("SIGTERM");
      await ended;
      clearTimeout(timer);
    },
  };
}

function readyOf(line: string): { readonly setup_code?: string } | undefined {
  return (parsed(line) as { ready?: { setup_code?: string } }).ready;
}

/** A line's JSON object; an empty one for anything else, such as a warning of Node's. */
function parsed(line: string): object {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
