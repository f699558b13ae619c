import { Agent, request as send } from "node:https";
import type { Problem } from "@mosaicstack/foundation";
import { problem } from "../problems.ts";

/** A call, both of its attempts included. */
const TIMEOUT_MS = 5_000;
const MAX_SOCKETS = 8;

/** What step-ca answered, whatever its status. */
export interface StepCaAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export interface StepCaCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Made anew for each attempt: a token is good for one. */
  readonly body?: () => unknown;
  readonly maxAnswerBytes: number;
}

/** HTTPS to one step-ca, which proves who it is by the pinned root alone. */
export interface StepCaConnection {
  /**
   * Asks, and once more where the connection broke, the token was not taken or step-ca failed.
   *
   * @throws Problem `ca_unreachable`; `ca_answer_invalid` where the answer is too long
   */
  ask(call: StepCaCall): Promise<StepCaAnswer>;
  /** A Problem about this step-ca: what every one says of where it is. */
  problem(code: "ca_unreachable" | "ca_refused" | "ca_answer_invalid", cause: string, text: ProblemText): Problem;
}

interface ProblemText {
  readonly detail: string;
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** Opens no socket yet. Idle ones keep no process alive. @param address `https://host[:port]` @throws Error where it is not that */
export function connectStepCa(address: string, rootPem: string, timeoutMs = TIMEOUT_MS): StepCaConnection {
  const url = new URL(address);
  if (url.protocol !== "https:") throw new Error("the URL of step-ca must start with https://");
  const agent = new Agent({
    ca: rootPem,
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    minVersion: "TLSv1.2",
    // A resumed session skips the verification of the certificate.
    maxCachedSessions: 0,
  });
  const place = { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: url.port === "" ? 443 : Number(url.port) };

  const describe: StepCaConnection["problem"] = (code, cause, { detail, remedy, cause: error }) =>
    problem(code, {
      detail,
      ...(remedy === undefined ? {} : { remedy }),
      extensions: { service: "certificate-authority", ...place, cause },
      cause: error,
    });

  function attempt(call: StepCaCall, signal: AbortSignal): Promise<StepCaAnswer> {
    const body = call.body === undefined ? undefined : JSON.stringify(call.body());
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const sent = send(new URL(call.path, url), { method: call.method, agent, headers, signal }, (answer) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        answer.on("data", (part: Buffer) => {
          bytes += part.length;
          if (bytes > call.maxAnswerBytes) {
            const detail = "The certificate authority's answer is longer than this gateway reads.";
            reject(describe("ca_answer_invalid", "too long an answer", { detail }));
            answer.destroy();
          } else parts.push(part);
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts) }));
        answer.on("error", reject);
        answer.on("aborted", () =>
          reject(Object.assign(new Error("the answer was cut short"), { code: "ECONNRESET" })),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  return {
    problem: describe,
    async ask(call) {
      const signal = AbortSignal.timeout(timeoutMs);
      const mayRepeat = (answer: StepCaAnswer): boolean => answer.status === 401 || answer.status >= 500;
      try {
        try {
          const answer = await attempt(call, signal);
          if (!mayRepeat(answer)) return answer;
        } catch (error) {
          if (signal.aborted || !isBroken(error)) throw error;
        }
        return await attempt(call, signal);
      } catch (error) {
        if (error instanceof Error && error.name === "Problem") throw error;
        const cause = signal.aborted ? `no answer within ${timeoutMs / 1000} s` : causeOf(error);
        const detail = `The certificate authority can't be reached: ${cause}.`;
        throw describe("ca_unreachable", cause, { detail, cause: error });
      }
    },
  };
}

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection broken",
  EPIPE: "connection broken",
  ENOTFOUND: "host name not known",
  EAI_AGAIN: "host name not known",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the host",
  ETIMEDOUT: "no answer",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  EPROTO: "it doesn't speak TLS",
};
const UNTRUSTED = /^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH)/;

/** Short words for the log and for a person: never what Node or OpenSSL say. */
function causeOf(error: unknown): string {
  const code = codeOf(error);
  const known = CAUSES[code];
  if (known !== undefined) return known;
  if (UNTRUSTED.test(code)) return "its certificate is not of the pinned root";
  if (code.startsWith("ERR_SSL_")) return "it doesn't speak TLS";
  return code.startsWith("HPE_") ? "it doesn't speak HTTP" : "connection failed";
}

function isBroken(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE"].includes(codeOf(error));
}

/** An AggregateError (all addresses of a host failed) has its first failure's code. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
