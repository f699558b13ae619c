import { Problem } from "@mosaicstack/foundation";

/** How one check came out. `skipped` says why, and colours nothing. */
export type CheckStatus = "ok" | "warning" | "fault" | "skipped";

/** One thing the doctor looked at. A warning or a fault has a code and a remedy. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  readonly detail: string;
  readonly code?: string;
  readonly remedy?: string;
  readonly took_ms?: number;
  /** The fault itself, for the exit status. Not printed. */
  readonly cause?: Problem;
}

export type Overall = "green" | "yellow" | "red";

export function ok(name: string, detail: string): Check {
  return { name, status: "ok", detail };
}

export function skipped(name: string, detail: string): Check {
  return { name, status: "skipped", detail };
}

export function warning(name: string, code: string, detail: string, remedy: string): Check {
  return { name, status: "warning", code, detail, remedy };
}

/** A refusal or fault as a check. Ctrl-C, and whatever is the program's own fault, is thrown on. */
export function faulty(name: string, error: unknown): Check {
  if (!(error instanceof Problem) || error.code === "interrupted") throw error;
  const { code, detail, remedy } = error.details;
  return { name, status: "fault", code, detail, remedy, cause: error };
}

/** Red: something does not work. Yellow: everything does, and something should be looked at. */
export function overallOf(checks: readonly Check[]): Overall {
  if (checks.some(({ status }) => status === "fault")) return "red";
  return checks.some(({ status }) => status === "warning") ? "yellow" : "green";
}
