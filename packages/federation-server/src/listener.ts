import { constants } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { RateLimits } from "@mosaicstack/coordination";
import { type Clock, newId, redact } from "@mosaicstack/foundation";
import { MAX_REQUEST_BYTES } from "@mosaicstack/federation-protocol";
import type { AuditQueue, Store } from "@mosaicstack/storage";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { createGrantLookup } from "./active-grant.ts";
import { type Admission, type AdmissionRefusal, admit } from "./admission.ts";
import type { Certificates } from "./certificates.ts";
import type { LiveSockets } from "./live-sockets.ts";
import { peerCertificateOf } from "./peer-identity.ts";
import { createPeerRequests, requestIdOf } from "./peer-requests.ts";
import { registerPeerRoutes } from "./peer-routes.ts";
import type { Renewal } from "./renewal.ts";
import type { GrantAnnouncer } from "./revocation.ts";
import type { ServerCertificate } from "./server-certificate.ts";
import type { EmbedQuery } from "./verbs/serving-verb.ts";
import { createServingAudit } from "./serving-audit.ts";
import type { ServingRecord } from "./serving-record.ts";

export interface Listener {
  /** Opens the port; where it listens. */
  start(): Promise<AddressInfo>;
  /** Presents another certificate to new connections; those open go on. */
  present(certificate: ServerCertificate): void;
  /** Finishes what is being answered, then ends every connection. What was recorded is with the audit's queue then. */
  stop(): Promise<void>;
}

const handshakeTimeoutMs = 10_000;
const requestTimeoutMs = 10_000;
/** Less than a turn is leased for, so that a grant has no more answers held for it than it may have requests under way. */
const defaultAnswerTimeoutMs = 30_000;
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
  readonly store: Pick<Store, "query" | "readAsPeer">;
  readonly clock: Clock;
  readonly maxRowsPerQuery: number;
  readonly embedQuery?: EmbedQuery | undefined;
  readonly liveSockets: LiveSockets;
  readonly certificates: Pick<Certificates, "confirm">;
  readonly renewal: Renewal;
  readonly announcer: GrantAnnouncer;
  /** How often a grant's peer may ask, and how much at once. */
  readonly limits: RateLimits;
  /** Where requests and refused connections are recorded for good. */
  readonly auditQueue: Pick<AuditQueue, "hasRoom" | "queryHash" | "record">;
  /** Hears of each request and refused connection, for the log. */
  readonly record: (entry: ServingRecord) => void;
  /** How long a peer may take to take an answer. Default: 30 s. */
  readonly answerTimeoutMs?: number;
}): Listener {
  const { store, clock, liveSockets, rootPem, certificates, maxRowsPerQuery, limits, embedQuery } = dependencies;
  const audit = createServingAudit({ queue: dependencies.auditQueue, clock });

  const context = ({ cert, key }: ServerCertificate) => ({
    cert,
    key,
    ca: rootPem,
    minVersion: "TLSv1.3" as const,
    secureOptions: constants.SSL_OP_NO_TICKET,
  });

  function recordRefused(socket: TLSSocket, outcome: ServingRecord["outcome"], reason: string): void {
    const certificate = peerCertificateOf(socket);
    const identity = certificate?.identity.kind === "identified" ? certificate.identity : undefined;
    const entry: ServingRecord = {
      requestId: newId(),
      verb: "connect",
      resource: null,
      serial: certificate?.serial ?? null,
      grantId: identity?.grantId ?? null,
      subjectUserId: identity?.subjectUserId ?? null,
      outcome,
      reason,
      rows: 0,
      bytes: 0,
      tookMs: 0,
    };
    audit.record(entry);
    dependencies.record(entry);
  }

  function refuse(socket: TLSSocket, refusal: AdmissionRefusal | "not_checked", reason: string): void {
    recordRefused(socket, `certificate_${refusal}`, reason);
    socket.destroy();
  }

  /** Puts our own check between the handshake and the first byte of HTTP. */
  function guard(server: Server): Server {
    const [speakHttp] = server.listeners("secureConnection");
    server.removeAllListeners("secureConnection");
    server.on("secureConnection", (socket: TLSSocket) => {
      socket.on("error", () => socket.destroy());
      // Each request that is under way on it waits for its end.
      socket.setMaxListeners(0);
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
    // A handshake that fails for what the other side sent. Who just opens a port and leaves, as balancers do, is nobody.
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      if (error.code?.startsWith("ERR_SSL_") === true) recordRefused(socket, "handshake_failed", error.code);
    });
    // What Node would answer or end by itself, unrecorded: any expectation (RFC 9110 10.1.1 lets it be ignored), and a tunnel.
    server.on("checkExpectation", (request, response) => void server.emit("request", request, response));
    server.on("connect", (_request, socket: TLSSocket) => refuseRequest(socket, "verb_unknown", "CONNECT"));
    return server;
  }

  /** What was never a request, or is not one that is answered. */
  function refuseRequest(socket: TLSSocket, outcome: "request_malformed" | "verb_unknown", reason: string): void {
    recordRefused(socket, outcome, reason);
    socket.destroy();
  }

  const answer = createPeerRequests({
    gate: { store, findActiveGrant: createGrantLookup({ store, clock }), limits, audit, maxRowsPerQuery, embedQuery },
    renewal: dependencies.renewal,
    announcer: dependencies.announcer,
    audit,
    record: dependencies.record,
    answerTimeoutMs: dependencies.answerTimeoutMs ?? defaultAnswerTimeoutMs,
  });

  const app: FastifyInstance = Fastify({
    bodyLimit: MAX_REQUEST_BYTES,
    genReqId: (incoming) => requestIdOf(incoming),
    logger: false,
    // A URL that cannot be decoded is refused before there is a route.
    frameworkErrors: (_error, request: FastifyRequest, reply: FastifyReply) => void answer(request, reply, undefined),
    clientErrorHandler(error, socket) {
      // A connection that broke off, or was silent, asked for nothing.
      if (!error.code.startsWith("HPE_") || socket.destroyed) return void socket.destroy();
      const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
      if (socket.writable) socket.write(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      refuseRequest(socket as TLSSocket, "request_malformed", error.code);
    },
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
            // Node looks for requests that take longer every 30 s otherwise, and a turn was held all the while.
            connectionsCheckingInterval: 1_000,
            keepAliveTimeout: keepAliveTimeoutMs,
            requireHostHeader: false,
            ALPNProtocols: ["http/1.1"],
          },
          handler,
        ),
      ),
  });
  // The pipeline reads the body itself, once it knows who asks and that they may.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _body, done) => done(null));

  registerPeerRoutes(app, answer);

  return {
    async start() {
      await app.listen({ host: dependencies.host, port: dependencies.port });
      return app.server.address() as AddressInfo;
    },
    present: (certificate) => (app.server as unknown as Server).setSecureContext(context(certificate)),
    async stop() {
      await app.close();
      audit.close();
    },
  };
}
