import { newId, Problem } from "@mosaicstack/foundation";
import type { GatewayTarget } from "./gateway-target.ts";
import { exchange, type HttpAnswer } from "./http-exchange.ts";
import { cliProblem } from "./problems.ts";

const TIMEOUT_MS = 30_000;
const LONGEST_WAIT_SECONDS = 60;

/** Values of a query; undefined ones are left out, and of a list each is given. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  /** Waits as long as a rate limit asks, up to a minute, instead of failing. For work of many requests. */
  readonly patient?: boolean;
  /** Sends an Idempotency-Key and asks once more when the connection is cut before an answer. */
  readonly repeatable?: boolean;
  /** Takes the answer's body as it comes, in the place of `Answer.body`. */
  readonly take?: (body: NodeJS.ReadableStream) => Promise<void>;
  /** Replaces the API key: a session's cookie while signing in. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer<Body> {
  readonly body: Body;
  readonly headers: HttpAnswer["headers"];
}

/** A gateway's REST API. Every refusal is thrown as the Problem the gateway sent. */
export interface Gateway {
  readonly url: string;
  /** @param path with its leading slash; ids in it already escaped */
  call<Body>(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    options?: CallOptions,
  ): Promise<Answer<Body>>;
}

/** @param signal aborted by Ctrl-C */
export function createGateway(target: Pick<GatewayTarget, "url" | "apiKey" | "ca">, signal: AbortSignal): Gateway {
  const { url: origin, apiKey, ca } = target;

  async function ask(method: string, path: string, options: CallOptions, creationKey: string): Promise<HttpAnswer> {
    const url = new URL(path, origin);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      for (const one of [value].flat()) if (one !== undefined) url.searchParams.append(name, String(one));
    }
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers = {
      accept: "application/json, application/problem+json",
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(options.repeatable === true ? { "idempotency-key": creationKey } : {}),
      ...options.headers,
    };
    return await exchange({
      method,
      url,
      headers,
      body,
      ca,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      signal,
      take: options.take,
    });
  }

  async function call<Body>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Body>> {
    // The same key on both tries: a creation whose answer was lost is answered again, not done again.
    const creationKey = newId();
    let answer: HttpAnswer;
    try {
      answer = await ask(method, path, options, creationKey);
    } catch (error) {
      const isAgain = method === "GET" ? options.take === undefined : options.repeatable === true;
      if (!isCutOff(error) || !isAgain) throw error;
      answer = await ask(method, path, options, creationKey);
    }
    for (let wait = retryAfter(answer); options.patient === true && wait !== undefined; wait = retryAfter(answer)) {
      await pause(wait * 1000, signal);
      answer = await ask(method, path, options, creationKey);
    }
    return { body: readAnswer(answer, origin) as Body, headers: answer.headers };
  }

  return { url: origin, call };
}

/** Whether the connection ended before an answer: the one fault where asking again is the right thing. */
function isCutOff(error: unknown): boolean {
  return error instanceof Problem && error.details["cause_code"] === "ECONNRESET";
}

/** Seconds that a rate limit asks to wait; undefined: it is no such answer, or asks too much. */
function retryAfter({ status, headers }: HttpAnswer): number | undefined {
  const seconds = status === 429 ? Number(headers["retry-after"]) : Number.NaN;
  return seconds >= 0 && seconds <= LONGEST_WAIT_SECONDS ? Math.max(seconds, 0.2) : undefined;
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(cliProblem("interrupted"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function readAnswer(answer: HttpAnswer, origin: string): unknown {
  const { status, headers, text } = answer;
  if (status >= 200 && status < 300) return text === "" ? undefined : parseJson(text, origin);
  const type = String(headers["content-type"] ?? "");
  if (!type.includes("json")) {
    throw cliProblem("answer_unreadable", {
      detail: `${origin} answered with status ${status}, and not as a Mosaic gateway does.`,
    });
  }
  throw readProblem(parseJson(text, origin), answer);
}

function parseJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw cliProblem("answer_unreadable", { detail: `${origin} answered with something that is not JSON.` });
  }
}

/** The Problem a gateway sent. Members it lacks are made up, so that any refusal can be shown. */
function readProblem(body: unknown, { status, headers }: HttpAnswer): Problem {
  const members = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  // Better Auth words its refusals its own way: {code, message}.
  const { code, title, status: _status, detail = members["message"], remedy, type: _type, ...extensions } = members;
  const said = (value: unknown, fallback: string): string =>
    typeof value === "string" && value !== "" ? value : fallback;
  const wait = status === 429 ? headers["retry-after"] : undefined;
  return new Problem(
    said(code, `http_${status}`).toLowerCase(),
    {
      status,
      title: said(title, `The gateway answered with status ${status}.`),
      // The gateway's own remedy names a header, which nobody sees here.
      remedy:
        typeof wait === "string"
          ? `Try again in ${wait} s.`
          : said(remedy, "Check the request; `--help` shows examples."),
    },
    { detail: said(detail, said(title, `The gateway answered with status ${status}.`)), extensions },
  );
}
