import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { TLSSocket } from "node:tls";
import { isId, newId, type Problem } from "@mosaicstack/foundation";
import { federationProblem, type Verb } from "@mosaicstack/federation-protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { peerCertificateOf, requireIdentified } from "./peer-identity.ts";
import { type Gate, serve } from "./pipeline.ts";
import type { Renewal } from "./renewal.ts";
import type { GrantAnnouncer } from "./revocation.ts";
import type { ServingAudit } from "./serving-audit.ts";
import type { ServingRecord } from "./serving-record.ts";
import { parseJson } from "./stages/parse-json.ts";
import { readBody } from "./stages/read-body.ts";
import type { Trail } from "./stages/trail.ts";
import { toProblem } from "./to-problem.ts";

/** Answers one request, whatever it is, and records it. Never throws. @param asked undefined: nothing that there is */
export type AnswerRequest = (
  request: FastifyRequest,
  reply: FastifyReply,
  asked: Verb | "renew" | undefined,
) => Promise<FastifyReply>;

/** The id both sides record a request under: the querying side's, where it sent one as this system writes ids. */
export function requestIdOf({ headers }: Pick<IncomingMessage, "headers">): string {
  const sent = headers["x-request-id"];
  return typeof sent === "string" && isId(sent) ? sent : newId();
}

/** Every request of a peer goes through here, be it one of a verb or of nothing at all: no other answer is given on the listener. */
export function createPeerRequests(dependencies: {
  readonly gate: Gate;
  readonly renewal: Renewal;
  readonly announcer: GrantAnnouncer;
  readonly audit: ServingAudit;
  readonly record: (entry: ServingRecord) => void;
  /** How long a peer may take to take its answer; then the connection is ended, and with it what is held for it. */
  readonly answerTimeoutMs: number;
}): AnswerRequest {
  const { gate, renewal, announcer, audit, answerTimeoutMs } = dependencies;

  /** The renewal writes its own audit, with what it decided. What never gets to it is written here, as of any other request. */
  async function renew(request: FastifyRequest, reply: FastifyReply, trail: RecordedTrail): Promise<Buffer> {
    const peer = requireIdentified(socketOf(request));
    const body = parseJson(await readBody(request.raw));
    trail.isAuditedElsewhere = true;
    const outcome = await renewal.renew(peer, body, request.id);
    if (outcome.kind === "renewed") {
      const answer = Buffer.from(JSON.stringify(outcome.response));
      trail.record({ outcome: "ok", rows: 0, bytes: answer.length });
      return answer;
    }
    // Every request of the grant is refused from now on; its sockets are cut once this one has been told why.
    reply.header("connection", "close").raw.once("close", () => void announcer.announce(peer.identity.grantId));
    throw outcome.problem;
  }

  function beginTrail(request: FastifyRequest, verb: ServingRecord["verb"]): RecordedTrail {
    const startedAt = performance.now();
    const trail: RecordedTrail = {
      resource: null,
      queryHash: undefined,
      release: undefined,
      isAuditedElsewhere: false,
      record(result) {
        const certificate = peerCertificateOf(socketOf(request));
        const identity = certificate?.identity.kind === "identified" ? certificate.identity : undefined;
        const entry: ServingRecord = {
          requestId: request.id,
          verb,
          resource: trail.resource,
          serial: certificate?.serial ?? null,
          grantId: identity?.grantId ?? null,
          subjectUserId: identity?.subjectUserId ?? null,
          ...(trail.queryHash === undefined ? {} : { queryHash: trail.queryHash }),
          tookMs: performance.now() - startedAt,
          ...result,
        };
        const taken = trail.isAuditedElsewhere ? "queued" : audit.record(entry);
        // What is not answered is recorded by its refusal.
        if (taken === "queued" || result.outcome !== "ok") dependencies.record(entry);
        return taken;
      },
    };
    return trail;
  }

  return async (request, reply, asked) => {
    const trail = beginTrail(request, asked ?? "unknown");
    const socket = socketOf(request);
    let untaken: NodeJS.Timeout | undefined;
    let gone = false;
    const end = (): void => {
      gone = true;
      reply.raw.off("close", end);
      socket.off("close", end);
      clearTimeout(untaken);
      trail.release?.();
    };
    reply.raw.once("close", end);
    // An answer that waits behind another one does not hear of its socket's end.
    socket.once("close", end);
    let send: () => FastifyReply;
    try {
      requireHost(request.raw);
      const body =
        asked === "renew"
          ? await renew(request, reply, trail)
          : await serve(gate, { verb: asked, socket, incoming: request.raw }, trail);
      send = () => answerRows(reply, body, request.id);
    } catch (error) {
      const { problem, cause } = toProblem(error);
      if (problem.code === "rate_limited") trail.isAuditedElsewhere = false;
      const reason = problem.code === "identity_invalid" ? { reason: problem.message } : {};
      trail.record({ outcome: problem.code, rows: 0, bytes: 0, ...reason, ...cause });
      // The rest of it is not waited for. Of any other refusal's body Node reads what is left, and the connection goes on.
      if (problem.code === "body_too_large") reply.header("connection", "close");
      send = () => answerProblem(reply, problem, request.id);
    }
    if (gone) trail.release?.();
    else untaken = setTimeout(() => socket.destroy(), answerTimeoutMs).unref();
    return send();
  };
}

interface RecordedTrail extends Trail {
  isAuditedElsewhere: boolean;
}

/** RFC 9112 3.2. Node would refuse it by itself, and nobody would hear of it. @throws Problem `request_malformed` */
function requireHost({ headers, httpVersion }: IncomingMessage): void {
  if (headers.host !== undefined || httpVersion !== "1.1") return;
  throw federationProblem("request_malformed", { detail: "The request names no host.", extensions: { path: "" } });
}

function socketOf(request: FastifyRequest): TLSSocket {
  return request.raw.socket as TLSSocket;
}

function answerRows(reply: FastifyReply, body: Buffer, requestId: string): FastifyReply {
  return reply
    .code(200)
    .headers({ "content-type": "application/json; charset=utf-8", "x-request-id": requestId })
    .send(body);
}

function answerProblem(reply: FastifyReply, problem: Problem, requestId: string): FastifyReply {
  return reply
    .code(problem.status)
    .headers({ ...problem.headers, "content-type": "application/problem+json", "x-request-id": requestId })
    .send(JSON.stringify({ ...problem.details, request_id: requestId }));
}
