import { Problem } from "@mosaicstack/foundation";
import { type ExitName, exitCodes } from "./exit-codes.ts";
import type { Host } from "./host.ts";
import { terminalJson, terminalLine, terminalText } from "./terminal-text.ts";

/** The version of what `--json` prints. It rises when a member changes its meaning or goes; new members may come any time. */
export const JSON_VERSION = 1;

export type Style = "bold" | "dim" | "red" | "green" | "yellow";

const STYLES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** Where a command's words go: data to standard output, all else to standard error. */
export interface Output {
  readonly json: boolean;
  /** Columns of the terminal on standard output; undefined: it is not a terminal. */
  readonly width: number | undefined;
  /** The command's answer: as one JSON document, or as `human` words it. */
  result(data: unknown, human: () => string): void;
  /** A text just as it is, where it is not JSON that is asked for: a secret, a file's body, a script. */
  raw(data: unknown, text: string): void;
  /** One line of a stream (NDJSON). */
  line(members: Readonly<Record<string, unknown>>): void;
  /** What to do next, or how it went. Left out with --json and --quiet. */
  note(text: string): void;
  /** Something that works and should be looked at. Never left out. */
  warn(text: string): void;
  /** What went wrong: what happened, what to do, the code. */
  error(error: unknown, exit: ExitName): void;
  /** Colours for standard output or standard error, where they are a terminal. */
  paint(style: Style, text: string, stream?: "stdout" | "stderr"): string;
}

interface OutputOptions {
  readonly host: Host;
  readonly json: boolean;
  readonly quiet: boolean;
  /** As typed, without the arguments: `task list`. */
  readonly command: string;
}

export function createOutput({ host, json, quiet, command }: OutputOptions): Output {
  const envelope = (members: object): string => `${terminalJson({ version: JSON_VERSION, command, ...members })}\n`;
  const paint: Output["paint"] = (style, text, stream = "stdout") => {
    if (host.environment.plain || host[stream].isTTY !== true) return text;
    const [open, close] = STYLES[style];
    return `\u001b[${open}m${text}\u001b[${close}m`;
  };
  const say = (text: string): void => {
    host.stderr.write(`${text}\n`);
  };

  return {
    json,
    width: host.stdout.isTTY === true ? (host.stdout.columns ?? 80) : undefined,
    paint,
    result(data, human) {
      if (json) {
        host.stdout.write(envelope({ data }));
        return;
      }
      const text = human();
      if (text !== "") host.stdout.write(`${text}\n`);
    },
    raw(data, text) {
      if (json) host.stdout.write(envelope({ data }));
      // A terminal gets what it may show, and its line end; a file or pipe gets the text to the byte.
      else host.stdout.write(host.stdout.isTTY === true ? `${terminalText(text)}\n` : text);
    },
    line(members) {
      host.stdout.write(`${terminalJson({ version: JSON_VERSION, ...members })}\n`);
    },
    note(text) {
      if (!json && !quiet) say(text);
    },
    warn(text) {
      say(`${paint("yellow", "warning:", "stderr")} ${terminalLine(text)}`);
    },
    error(error, exit) {
      if (json) host.stderr.write(envelope({ error: describe(error, exit) }));
      else
        say(
          explain(
            error,
            (text) => paint("red", text, "stderr"),
            (text) => paint("dim", text, "stderr"),
          ),
        );
    },
  };
}

function describe(error: unknown, exit: ExitName): object {
  const exitStatus = exitCodes[exit].status;
  if (error instanceof Problem) return { ...error.details, exit_status: exitStatus };
  return { code: "internal", detail: messageOf(error), remedy: BUG, exit_status: exitStatus };
}

const BUG = "This is a fault of the command itself. Please report it with what you typed.";

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function explain(error: unknown, red: (text: string) => string, dim: (text: string) => string): string {
  if (!(error instanceof Problem)) return `${red("error:")} ${terminalLine(messageOf(error))}\n  ${BUG}`;
  const { detail, remedy, request_id: requestId, faults } = error.details;
  const lines = [`${red("error:")} ${terminalText(detail)}`];
  // A configuration's detail lists its faults itself.
  const listed = Array.isArray(faults) && faults.length > 1 && !detail.includes("\n") ? faults : [];
  for (const fault of listed) lines.push(`  - ${faultLine(fault)}`);
  lines.push(`  ${terminalLine(remedy)}`);
  const request = typeof requestId === "string" ? `, request ${terminalLine(requestId)}` : "";
  lines.push(dim(`  (${terminalLine(error.code)}${request})`));
  return lines.join("\n");
}

/** One of several faults of a request's body. */
function faultLine(fault: unknown): string {
  const { path, message } = fault as { path?: unknown; message?: unknown };
  return terminalLine([path, message].filter((part) => typeof part === "string" && part !== "").join(": "));
}
