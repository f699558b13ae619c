import { createSecureContext } from "node:tls";
import type { Problem } from "@mosaicstack/foundation";
import {
  type CapabilitiesResponse,
  capabilitiesResponseSchema,
  type GetRequest,
  type GetResponse,
  getResponseSchema,
  type ListRequest,
  type ListResponse,
  listResponseSchema,
  MAX_RESPONSE_BYTES,
  type Verb,
  verbPath,
} from "@mosaicstack/federation-protocol";
import { Agent } from "undici";
import type { z } from "zod";
import { peerProblem } from "./problems.ts";
import { type Refusal, refusalProblem } from "./refusal-problem.ts";
import { isBrokenConnection, transportProblem } from "./transport-problem.ts";
import { untilAborted } from "./until-aborted.ts";

/** What each verb is asked with, and answered with. */
export interface VerbBodies {
  list: { request: ListRequest; response: ListResponse };
  get: { request: GetRequest; response: GetResponse };
  capabilities: { request: Record<string, never>; response: CapabilitiesResponse };
}

/** The mTLS connections to one peer, under one client certificate. */
export interface PeerConnection {
  /**
   * Asks a verb. What comes back has the protocol's form; whether it answers this question is the caller's to check.
   * @throws Problem of this package's or the protocol's table, and nothing else
   */
  call<Asked extends Verb>(
    verb: Asked,
    body: VerbBodies[Asked]["request"],
    signal: AbortSignal,
  ): Promise<VerbBodies[Asked]["response"]>;
  /** Lets requests under way finish, then ends every socket. Idempotent. */
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
}

const MAX_SOCKETS = 8;
const CONNECT_TIMEOUT_MS = 5_000;
/** The peer's own `keep-alive: timeout` goes before this. */
const IDLE_SOCKET_MS = 60_000;
/** Both bound a silence. How long an answer may take as a whole is the caller's signal's to say. */
const SILENCE_TIMEOUT_MS = 10_000;

const schemas: { readonly [Asked in Verb]: z.ZodType<VerbBodies[Asked]["response"]> } = {
  list: listResponseSchema,
  get: getResponseSchema,
  capabilities: capabilitiesResponseSchema,
};

/** Opens no socket yet. @throws when key, certificate or root cannot be read */
export function createPeerConnection({
  endpoint,
  rootPem,
  certificatePem,
  privateKeyPem,
}: PeerCredentials): PeerConnection {
  const agent = new Agent({
    connections: MAX_SOCKETS,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: IDLE_SOCKET_MS,
    keepAliveMaxTimeout: IDLE_SOCKET_MS,
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
    maxResponseSize: MAX_RESPONSE_BYTES,
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
  let socketsOpened = 0;
  agent.on("connect", () => {
    socketsOpened += 1;
  });

  async function post(path: string, body: string, signal: AbortSignal): Promise<Refusal> {
    const response = await untilAborted(
      agent.request({
        origin: endpoint,
        path,
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body,
        signal,
      }),
      signal,
    );
    const retryAfter = response.headers["retry-after"];
    return {
      status: response.statusCode,
      retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
      text: await response.body.text(),
    };
  }

  /** A kept socket may be one that the peer has just closed. Asking only reads, so it is asked once more on a new one. */
  async function postOnce(path: string, body: string, signal: AbortSignal): Promise<Refusal> {
    const openedBefore = socketsOpened;
    try {
      return await post(path, body, signal);
    } catch (error) {
      if (signal.aborted || socketsOpened !== openedBefore || !isBrokenConnection(error)) throw error;
      return await post(path, body, signal);
    }
  }

  return {
    async call(verb, body, signal) {
      let answer: Refusal;
      try {
        answer = await postOnce(verbPath(verb), JSON.stringify(body), signal);
      } catch (error) {
        throw signal.aborted ? peerProblem("peer_timeout", { cause: error }) : transportProblem(error);
      }
      if (answer.status !== 200) throw refusalProblem(answer, "quoted");
      return read(schemas[verb], answer.text);
    },
    close() {
      closed ??= agent.close();
      return closed;
    },
  };
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
