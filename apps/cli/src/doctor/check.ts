import { Problem } from "@mosaicstack/foundation";
import { doctorFault, doctorWarnings, type FaultCode, type WarningCode } from "./codes.ts";

/** How one check came out. `skipped` says why, and colours nothing. */
export type CheckStatus = "ok" | "warning" | "fault" | "skipped";

/** What a check looked at, where that is a service of the network. */
export interface CheckedService {
  readonly host?: string;
  readonly port?: number;
  /** One question there and back. */
  readonly latency_ms?: number;
}

/** One thing the doctor looked at. A warning or a fault has a code and a remedy. */
export interface Check extends CheckedService {
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

/** @param remedy better than the table's, where this time's is known */
export function warning(
  name: string,
  code: WarningCode,
  detail: string,
  remedy: string = doctorWarnings[code].remedy,
): Check {
  return { name, status: "warning", code, detail, remedy };
}

/** @param remedy better than the table's, where this time's is known */
export function fault(name: string, code: FaultCode, detail: string, remedy?: string): Check {
  return faulty(name, doctorFault(code, { detail, ...(remedy === undefined ? {} : { remedy }) }));
}

/** A refusal or fault as a check. Ctrl-C, and whatever is the program's own fault, is thrown on. */
export function faulty(name: string, error: unknown): Check {
  if (!(error instanceof Problem) || error.code === "interrupted") throw error;
  const { code, detail, remedy, host, port } = error.details;
  return {
    name,
    status: "fault",
    code,
    detail,
    remedy,
    ...(typeof host === "string" ? { host } : {}),
    ...(typeof port === "number" ? { port } : {}),
    cause: error,
  };
}

/** Red: something does not work. Yellow: everything does, and something should be looked at. */
export function overallOf(checks: readonly Check[]): Overall {
  if (checks.some(({ status }) => status === "fault")) return "red";
  return checks.some(({ status }) => status === "warning") ? "yellow" : "green";
}
