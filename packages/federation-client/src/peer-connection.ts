import { createSecureContext } from "node:tls";
import { Problem } from "@mosaicstack/foundation";
import {
  type CapabilitiesResponse,
  capabilitiesResponseSchema,
  type GetRequest,
  type GetResponse,
  getResponseSchema,
  type ListRequest,
  type ListResponse,
  listResponseSchema,
  maxResponseBytes,
  MAX_PAGE_BYTES,
  RENEWAL_PATH,
  type RenewalResponse,
  renewalResponseSchema,
  type SearchRequest,
  type SearchResponse,
  searchResponseSchema,
  type Verb,
  verbPath,
} from "@mosaicstack/federation-protocol";
import { Agent } from "undici";
import type { z } from "zod";
import { answerText } from "./answer-text.ts";
import { instantOf } from "./clock-skew.ts";
import { type ExchangeProgress, type PeerExchange, recordExchange } from "./peer-exchange.ts";
import { peerProblem } from "./problems.ts";
import { type PeerAnswer, refusalProblem } from "./refusal-problem.ts";
import { isBrokenConnection, transportProblem } from "./transport-problem.ts";
import { untilAborted } from "./until-aborted.ts";

/** What each verb is asked with, and answered with. */
export interface VerbBodies {
  list: { request: ListRequest; response: ListResponse };
  get: { request: GetRequest; response: GetResponse };
  search: { request: SearchRequest; response: SearchResponse };
  capabilities: { request: Record<string, never>; response: CapabilitiesResponse };
}

/** What came of asking for the next certificate. The peer's clock, from its `date` header, tells a wrong time from a refusal. */
export type RenewalAnswer = { readonly remoteNow: Date | undefined } & (
  | { readonly kind: "answered"; readonly response: RenewalResponse }
  | { readonly kind: "refused"; readonly problem: Problem }
);

/** The mTLS connections to one peer, under one client certificate. */
export interface PeerConnection {
  /**
   * Asks a verb. What comes back has the protocol's form; whether it answers this question is the caller's to check.
   * @param check throws a Problem where it does not, which is how the request came out then
   * @throws Problem of this package's or the protocol's table, and nothing else
   */
  call<Asked extends Verb>(
    verb: Asked,
    body: VerbBodies[Asked]["request"],
    signal: AbortSignal,
    check?: (response: VerbBodies[Asked]["response"]) => void,
  ): Promise<VerbBodies[Asked]["response"]>;
  /**
   * Asks for a certificate of another key (trust decision 5). Asking again with the same request is answered the same.
   * @param csrPem PKCS #10
   * @throws Problem where no answer came
   */
  renew(csrPem: string, signal: AbortSignal): Promise<RenewalAnswer>;
  /** Lets requests under way finish, then ends every socket; what is asked from then on is `peer_unreachable`. Idempotent. */
  close(): Promise<void>;
}

export interface PeerCredentials {
  /** `https://host:port`. */
  readonly endpoint: string;
  /** The only trust anchor: exactly one certificate. */
  readonly rootPem: string;
  /** The client certificate, with its chain below the root where it has one. */
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Hears of each request once it is over. Default: nobody does. It neither waits nor throws. */
  readonly record?: (exchange: PeerExchange) => void;
}

/** To one peer. */
export const MAX_SOCKETS = 8;
const CONNECT_TIMEOUT_MS = 5_000;
/** The peer's own `keep-alive: timeout` goes before this. */
const IDLE_SOCKET_MS = 60_000;
/** Both bound a silence. How long an answer may take as a whole is the caller's signal's to say. */
const SILENCE_TIMEOUT_MS = 10_000;

interface Question {
  readonly path: string;
  readonly body: string;
  /** The most of an answer that is read. */
  readonly maxBytes: number;
}

const schemas: { readonly [Asked in Verb]: z.ZodType<VerbBodies[Asked]["response"]> } = {
  list: listResponseSchema,
  get: getResponseSchema,
  search: searchResponseSchema,
  capabilities: capabilitiesResponseSchema,
};

/** Opens no socket yet. @throws when key, certificate or root cannot be read */
export function createPeerConnection({
  endpoint,
  rootPem,
  certificatePem,
  privateKeyPem,
  record = () => undefined,
}: PeerCredentials): PeerConnection {
  const agent = new Agent({
    connections: MAX_SOCKETS,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: IDLE_SOCKET_MS,
    keepAliveMaxTimeout: IDLE_SOCKET_MS,
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
    connect: {
      // Read once and not at each handshake.
      secureContext: createSecureContext({
        ca: rootPem,
        cert: certificatePem,
        key: privateKeyPem,
        minVersion: "TLSv1.3",
        maxVersion: "TLSv1.3",
      }),
      rejectUnauthorized: true,
      // A resumed session would skip the verification of both sides' certificates.
      maxCachedSessions: 0,
      timeout: CONNECT_TIMEOUT_MS,
    },
  });
  let closed: Promise<void> | undefined;
  let underWay = 0;
  let whenIdle: (() => void) | undefined;
  let socketsOpened = 0;
  agent.on("connect", () => {
    socketsOpened += 1;
  });

  async function post({ path, body, maxBytes }: Question, signal: AbortSignal, requestId: string): Promise<PeerAnswer> {
    const response = await untilAborted(
      agent.request({
        origin: endpoint,
        path,
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json", "x-request-id": requestId },
        body,
        signal,
      }),
      signal,
    );
    return {
      status: response.statusCode,
      retryAfter: response.headers["retry-after"],
      text: await answerText(response, maxBytes),
      remoteNow: instantOf(response.headers["date"]),
    };
  }

  /** A kept socket may be one that the peer has just closed. Asking again changes nothing, so it is asked once more on a new one. */
  async function postOnce(question: Question, signal: AbortSignal, requestId: string): Promise<PeerAnswer> {
    const openedBefore = socketsOpened;
    try {
      return await post(question, signal, requestId);
    } catch (error) {
      if (signal.aborted || socketsOpened !== openedBefore || !isBrokenConnection(error)) throw error;
      return await post(question, signal, requestId);
    }
  }

  /** Counted by ourselves: the agent, once told to close, would refuse the second try of a request that is under way. */
  async function ask(question: Question, signal: AbortSignal, progress: ExchangeProgress): Promise<PeerAnswer> {
    if (closed !== undefined) throw closedProblem();
    underWay += 1;
    try {
      const answer = await postOnce(question, signal, progress.requestId);
      progress.bytes = Buffer.byteLength(answer.text);
      return answer;
    } catch (error) {
      if (signal.aborted) throw peerProblem("peer_timeout", { cause: error });
      throw error instanceof Problem ? error : transportProblem(error);
    } finally {
      underWay -= 1;
      if (underWay === 0) whenIdle?.();
    }
  }

  async function closeOnceIdle(): Promise<void> {
    if (underWay > 0) await new Promise<void>((resolve) => (whenIdle = resolve));
    await agent.close();
  }

  return {
    call: async (verb, body, signal, check) =>
      await recordExchange({ verb, request: body }, signal, record, async (progress) => {
        const question = { path: verbPath(verb), body: JSON.stringify(body), maxBytes: maxResponseBytes(verb) };
        const answer = await ask(question, signal, progress);
        if (answer.status !== 200) throw refusalProblem(answer, "quoted");
        const response = read(schemas[verb], answer.text);
        check?.(response);
        progress.rows = rowsOf(response);
        return response;
      }),
    renew: async (csrPem, signal) =>
      await recordExchange({ verb: "renew", request: undefined }, signal, record, async (progress) => {
        const question = { path: RENEWAL_PATH, body: JSON.stringify({ csr: csrPem }), maxBytes: MAX_PAGE_BYTES };
        const answer = await ask(question, signal, progress);
        const { remoteNow } = answer;
        if (answer.status === 200) {
          return { kind: "answered", response: read(renewalResponseSchema, answer.text), remoteNow };
        }
        const problem = refusalProblem(answer, "quoted");
        progress.refused = problem;
        return { kind: "refused", problem, remoteNow };
      }),
    close() {
      closed ??= closeOnceIdle();
      return closed;
    },
  };
}

function rowsOf(response: VerbBodies[Verb]["response"]): number {
  if ("rows" in response) return response.rows.length;
  return "row" in response ? 1 : 0;
}

/** What is asked of a connection that was closed. */
export function closedProblem(): Problem {
  return peerProblem("peer_unreachable", { detail: "The connection to the peer was closed." });
}

function read<Response>(schema: z.ZodType<Response>, text: string): Response {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw incompatible("Its answer is not JSON.", cause);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const path = result.error.issues[0]?.path.map(String).join(".") ?? "";
  throw incompatible(`Its answer does not have the protocol's form${path === "" ? "" : ` at ${path.slice(0, 80)}`}.`);
}

function incompatible(detail: string, cause?: unknown): Problem {
  return peerProblem("peer_incompatible", { detail, cause });
}
