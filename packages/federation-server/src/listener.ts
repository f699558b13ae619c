import { constants } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import type { TLSSocket } from "node:tls";
import { type Clock, newId, Problem, redact } from "@mosaicstack/foundation";
import {
  federationProblem,
  MAX_REQUEST_BYTES,
  RENEWAL_PATH,
  type Verb,
  verbPath,
  verbs,
} from "@mosaicstack/federation-protocol";
import type { ReadStore } from "@mosaicstack/storage";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { type Admission, type AdmissionRefusal, admit } from "./admission.ts";
import type { Certificates } from "./certificates.ts";
import type { LiveSockets } from "./live-sockets.ts";
import { peerCertificateOf, requireIdentified } from "./peer-identity.ts";
import { serve } from "./pipeline.ts";
import type { Renewal } from "./renewal.ts";
import type { GrantAnnouncer } from "./revocation.ts";
import type { ServerCertificate } from "./server-certificate.ts";

/** One request of a peer, or one connection refused: what is known of it, and never the query. */
export interface ServingRecord {
  readonly requestId: string;
  readonly verb: Verb | "connect" | "renew";
  readonly resource: string | null;
  readonly serial: string | null;
  readonly grantId: string | null;
  readonly subjectUserId: string | null;
  /** `ok`, or the code of the refusal. */
  readonly outcome: string;
  /** What exactly a certificate was refused for. */
  readonly reason?: string;
  readonly rows: number;
  readonly tookMs: number;
  /** For the log only. */
  readonly cause?: string;
}

export interface Listener {
  /** Opens the port; where it listens. */
  start(): Promise<AddressInfo>;
  /** Presents another certificate to new connections; those open go on. */
  present(certificate: ServerCertificate): void;
  /** Finishes what is being answered, then ends every connection. */
  stop(): Promise<void>;
}

const handshakeTimeoutMs = 10_000;
const requestTimeoutMs = 10_000;
/** Longer than a peer keeps an idle connection: a request never meets one that is being closed here. */
const keepAliveTimeoutMs = 72_000;

/**
 * The listener for peers: TLS 1.3 with a client certificate of our CA, checked by `admit` before HTTP begins. No session
 * is ever resumed, since a resumed session skips the verification (trust decision 9).
 *
 * A peer presents its chain with its certificate, as its enrollment gave it: the trust store holds the root alone, so a new
 * intermediate of the CA needs nothing here, and a certificate without its chain is untrusted.
 */
export function createListener(dependencies: {
  readonly host: string;
  readonly port: number;
  readonly certificate: ServerCertificate;
  /** The only trust anchor of client certificates. */
  readonly rootPem: string;
  readonly store: ReadStore;
  readonly clock: Clock;
  readonly maxRowsPerQuery: number;
  readonly liveSockets: LiveSockets;
  readonly certificates: Pick<Certificates, "confirm">;
  readonly renewal: Renewal;
  readonly announcer: GrantAnnouncer;
  readonly record: (entry: ServingRecord) => void;
}): Listener {
  const { store, clock, liveSockets, record, rootPem, certificates, announcer } = dependencies;

  const context = ({ cert, key }: ServerCertificate) => ({
    cert,
    key,
    ca: rootPem,
    minVersion: "TLSv1.3" as const,
    secureOptions: constants.SSL_OP_NO_TICKET,
  });

  function refuse(socket: TLSSocket, outcome: AdmissionRefusal | "not_checked", reason: string): void {
    const certificate = peerCertificateOf(socket);
    const identity = certificate?.identity.kind === "identified" ? certificate.identity : undefined;
    record({
      requestId: newId(),
      verb: "connect",
      resource: null,
      serial: certificate?.serial ?? null,
      grantId: identity?.grantId ?? null,
      subjectUserId: identity?.subjectUserId ?? null,
      outcome: `certificate_${outcome}`,
      reason,
      rows: 0,
      tookMs: 0,
    });
    socket.destroy();
  }

  /** Puts our own check between the handshake and the first byte of HTTP. */
  function guard(server: Server): Server {
    const [speakHttp] = server.listeners("secureConnection");
    server.removeAllListeners("secureConnection");
    server.on("secureConnection", (socket: TLSSocket) => {
      socket.on("error", () => socket.destroy());
      const decide = async (): Promise<Admission> => {
        const admission = await admit(socket, { store, clock, liveSockets });
        if (admission.kind === "admitted" && admission.isFirstUse) {
          await certificates.confirm(admission.certificate.serial);
        }
        return admission;
      };
      decide().then(
        (admission) => {
          if (admission.kind === "refused") refuse(socket, admission.reason, admission.detail);
          else if (!socket.destroyed) speakHttp?.call(server, socket);
        },
        (error: unknown) => refuse(socket, "not_checked", redact(String(error))),
      );
    });
    return server;
  }

  const app: FastifyInstance = Fastify({
    bodyLimit: MAX_REQUEST_BYTES,
    genReqId: () => newId(),
    logger: false,
    // A URL that cannot be decoded is refused before there is a route, and so before the handlers below.
    frameworkErrors: (_error, request: FastifyRequest, reply: FastifyReply) =>
      void answerProblem(reply, federationProblem("verb_unknown"), request.id),
    forceCloseConnections: true,
    serverFactory: (handler) =>
      guard(
        createServer(
          {
            ...context(dependencies.certificate),
            requestCert: true,
            rejectUnauthorized: false,
            handshakeTimeout: handshakeTimeoutMs,
            // Fastify's own options of these names do nothing to a server that it did not make.
            requestTimeout: requestTimeoutMs,
            keepAliveTimeout: keepAliveTimeoutMs,
            ALPNProtocols: ["http/1.1"],
          },
          handler,
        ),
      ),
  });

  function recordRequest(
    request: FastifyRequest,
    verb: Verb | "renew",
    startedAt: number,
    result: RequestResult,
  ): void {
    const certificate = peerCertificateOf(request.raw.socket as TLSSocket);
    const identity = certificate?.identity.kind === "identified" ? certificate.identity : undefined;
    record({
      requestId: request.id,
      verb,
      serial: certificate?.serial ?? null,
      grantId: identity?.grantId ?? null,
      subjectUserId: identity?.subjectUserId ?? null,
      tookMs: performance.now() - startedAt,
      ...result,
    });
  }

  /** Answers a request with what `work` makes of it, and records it either way. */
  async function answer(request: FastifyRequest, reply: FastifyReply, verb: Verb | "renew", work: () => Promise<Made>) {
    const startedAt = performance.now();
    try {
      const { json, rows, resource } = await work();
      recordRequest(request, verb, startedAt, { outcome: "ok", rows, resource });
      return await reply.header("content-type", "application/json; charset=utf-8").send(json);
    } catch (error) {
      const { problem, cause } = toProblem(error);
      const reason = problem.code === "identity_invalid" ? { reason: problem.message } : {};
      recordRequest(request, verb, startedAt, { outcome: problem.code, rows: 0, resource: null, ...reason, ...cause });
      throw problem;
    }
  }

  for (const verb of verbs) {
    app.post(verbPath(verb), async (request, reply) => {
      const gate = { store, clock, maxRowsPerQuery: dependencies.maxRowsPerQuery };
      return await answer(request, reply, verb, () => serve(gate, verb, request.raw.socket as TLSSocket, request.body));
    });
  }

  app.post(RENEWAL_PATH, async (request, reply) => {
    return await answer(request, reply, "renew", async () => {
      const peer = requireIdentified(request.raw.socket as TLSSocket);
      const outcome = await dependencies.renewal.renew(peer, request.body, request.id);
      if (outcome.kind === "renewed") return { json: JSON.stringify(outcome.response), rows: 0, resource: null };
      // Every request of the grant is refused from now on; its sockets are cut once this one has been told why.
      reply.header("connection", "close").raw.once("close", () => void announcer.announce(peer.identity.grantId));
      throw outcome.problem;
    });
  });

  app.setNotFoundHandler((request, reply) => answerProblem(reply, federationProblem("verb_unknown"), request.id));
  app.setErrorHandler((error, request, reply) => answerProblem(reply, toProblem(error).problem, request.id));

  return {
    async start() {
      await app.listen({ host: dependencies.host, port: dependencies.port });
      return app.server.address() as AddressInfo;
    },
    present: (certificate) => (app.server as unknown as Server).setSecureContext(context(certificate)),
    stop: () => app.close(),
  };
}

type RequestResult = Pick<ServingRecord, "outcome" | "reason" | "rows" | "resource" | "cause">;

/** An answer, and what is recorded of it. */
type Made = Pick<ServingRecord, "rows" | "resource"> & { readonly json: string };

/** What a peer is told of a failure: the protocol's own problems, Fastify's refusals in its words, and no detail of a fault. */
export function toProblem(error: unknown): { problem: Problem; cause: { cause?: string } } {
  if (error instanceof Problem && error.code in federationProblem.table) return { problem: error, cause: {} };
  const status = typeof error === "object" && error !== null && "statusCode" in error ? error.statusCode : undefined;
  if (status === 413) return { problem: federationProblem("body_too_large"), cause: {} };
  if (status === 415) return { problem: federationProblem("media_type_unsupported"), cause: {} };
  if (status === 400) {
    const detail = "The body is not JSON.";
    return { problem: federationProblem("request_malformed", { detail, extensions: { path: "" } }), cause: {} };
  }
  const cause = { cause: redact(error instanceof Error ? (error.stack ?? error.message) : String(error)) };
  const code = error instanceof Problem && error.status === 503 ? "database_busy" : "serving_failed";
  return { problem: federationProblem(code, { cause: error }), cause };
}

interface Replying {
  code(status: number): this;
  headers(values: Record<string, string>): this;
  send(payload: string): unknown;
}

function answerProblem(reply: Replying, problem: Problem, requestId: string): unknown {
  return reply
    .code(problem.status)
    .headers({ ...problem.headers, "content-type": "application/problem+json", "x-request-id": requestId })
    .send(JSON.stringify({ ...problem.details, request_id: requestId }));
}
