import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { rootCertificates } from "node:tls";
import { cliProblem } from "./problems.ts";

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface HttpQuestion {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** A CA certificate to trust besides the usual ones, PEM. */
  readonly ca?: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Takes the body of an answer that is no refusal as it comes, whatever its size; `text` is empty then. */
  readonly take?: ((body: NodeJS.ReadableStream) => Promise<void>) | undefined;
}

/**
 * One request and its whole answer. A redirect is an answer like any other: a key never follows one to another place.
 *
 * @throws Problem `gateway_unreachable`, `gateway_untrusted`, `gateway_timeout`, `answer_unreadable`, `interrupted`
 */
export async function exchange(question: HttpQuestion): Promise<HttpAnswer> {
  const { method, url, headers, body, ca, timeoutMs, signal, take } = question;
  const deadline = AbortSignal.timeout(timeoutMs);
  const options = {
    method,
    headers: body === undefined ? headers : { ...headers, "content-length": String(Buffer.byteLength(body)) },
    signal: AbortSignal.any([signal, deadline]),
    // A command asks a few times and ends: no connection is kept, so none keeps the process alive.
    agent: false as const,
  };
  const roots = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
  try {
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const sent = url.protocol === "https:" ? requestHttps(url, { ...options, ...roots }) : requestHttp(url, options);
      sent.on("error", reject);
      sent.on("response", (response) => {
        const { statusCode: status = 0, headers: answered } = response;
        if (take !== undefined && status >= 200 && status < 300) {
          take(response).then(() => resolve({ status, headers: answered, text: "" }), reject);
          return;
        }
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES)
            sent.destroy(cliProblem("answer_unreadable", { detail: "The answer is larger than 64 MiB." }));
          else chunks.push(chunk);
        });
        response.on("error", reject);
        response.on("end", () => {
          resolve({
            status,
            headers: answered,
            text: Buffer.concat(chunks).toString("utf8"),
          });
        });
      });
      sent.end(body);
    });
  } catch (error) {
    throw explainFault(error, url, { timedOut: deadline.aborted, interrupted: signal.aborted, timeoutMs });
  }
}

/** Failures of a TLS handshake that mean "not whom I trust", as Node names them. */
const UNTRUSTED = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/u;

const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "the name can't be looked up right now",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "there is no way to that machine",
  ENETUNREACH: "there is no way to that network",
  ETIMEDOUT: "the connection timed out",
  EPROTO: "it does not speak TLS as expected",
  HPE_INVALID_CONSTANT: "it does not speak HTTP",
};

function explainFault(
  error: unknown,
  url: URL,
  { timedOut, interrupted, timeoutMs }: { timedOut: boolean; interrupted: boolean; timeoutMs: number },
): unknown {
  if (interrupted) return cliProblem("interrupted", { cause: error });
  if (timedOut) {
    return cliProblem("gateway_timeout", {
      detail: `The gateway at ${url.origin} did not answer within ${Math.round(timeoutMs / 1000)} s.`,
      cause: error,
    });
  }
  const code = codeOf(error);
  if (code === undefined) return error;
  if (UNTRUSTED.test(code)) {
    return cliProblem("gateway_untrusted", {
      detail: `The TLS certificate of ${url.origin} is not trusted (${code}).`,
      cause: error,
    });
  }
  const meaning = MEANINGS[code];
  return cliProblem("gateway_unreachable", {
    detail: `The gateway at ${url.origin} does not answer${meaning === undefined ? "" : `: ${meaning}`} (${code}).`,
    extensions: { cause_code: code },
    cause: error,
  });
}

/** The code of an error, or of the first of several tries at a name with more than one address. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (!(error instanceof Error) || error.name === "Problem" || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
