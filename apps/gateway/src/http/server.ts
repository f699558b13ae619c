import type { Socket } from "node:net";
import helmet from "@fastify/helmet";
import swagger from "@fastify/swagger";
import { newId } from "@mosaicstack/foundation";
import { fastify, type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type { Authenticator } from "../auth/authenticator.ts";
import { gatewayProblem } from "../problems.ts";
import { authenticateRequests } from "./authentication.ts";
import { readJsonBodies } from "./json-bodies.ts";
import { openApiOptions } from "./open-api.ts";
import { answerWithProblems, sendProblem } from "./problem-answers.ts";
import { collectRoutes } from "./route-table.ts";
import { validatorCompiler } from "./validation.ts";

export interface ServerOptions {
  readonly log: FastifyBaseLogger;
  readonly maxBodyBytes: number;
  /** Absent: plain HTTP. PEM texts. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly authenticator: Authenticator;
  /** The origin people open, where the configuration names one. */
  readonly publicOrigin: string | undefined;
}

/** Node's own refusals of what is not HTTP. They come before there is a request. */
const CLIENT_ERRORS: Readonly<Record<string, Parameters<typeof gatewayProblem>[0]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
  HPE_HEADER_OVERFLOW: "headers_too_large",
};

function refuseMalformedHttp(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = gatewayProblem(CLIENT_ERRORS[error.code ?? ""] ?? "request_malformed");
  const body = JSON.stringify({ ...problem.details, request_id: newId() });
  socket.end(
    `HTTP/1.1 ${problem.status} Refused\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** One line a request, without what a URL may carry in its query. */
function logRequests(app: FastifyInstance): void {
  app.addHook("onResponse", (request, reply, done) => {
    request.log.info(
      {
        method: request.method,
        path: request.url.split("?", 1)[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
      },
      "request",
    );
    done();
  });
}

/**
 * The listener for people and agents, with everything that holds for all its routes: authentication, validation by
 * zod, problems, security headers, OpenAPI. Routes are registered by whoever calls this.
 */
export async function createServer(options: ServerOptions) {
  const { log, maxBodyBytes, tls, authenticator, publicOrigin } = options;
  const common = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "request_id" }),
    bodyLimit: maxBodyBytes,
    genReqId: () => newId(),
    // What comes in on an open connection while draining is still served; the connection closes after it.
    return503OnClosing: false,
    requestTimeout: 60_000,
    forceCloseConnections: "idle" as const,
    clientErrorHandler: refuseMalformedHttp,
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: Parameters<typeof sendProblem>[1]) => {
      void sendProblem(request, reply, error);
    },
  };
  const app: FastifyInstance =
    tls === undefined ? fastify(common) : fastify({ ...common, https: { ...tls, minVersion: "TLSv1.2" } });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  readJsonBodies(app);
  logRequests(app);
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id).header("cache-control", "no-store");
    done();
  });
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    strictTransportSecurity: tls === undefined ? false : { maxAge: 31_536_000 },
    crossOriginResourcePolicy: { policy: "same-origin" },
    referrerPolicy: { policy: "no-referrer" },
  });
  await app.register(swagger, openApiOptions);
  const routes = collectRoutes(app);
  authenticateRequests(app, { authenticator, publicOrigin });
  answerWithProblems(app, routes);
  return { app: app.withTypeProvider<ZodTypeProvider>(), routes };
}

/** What routes are registered on: Fastify with types from zod schemas. */
export type Routes = Awaited<ReturnType<typeof createServer>>["app"];

const IDLE_CHECK_MS = 50;

/**
 * Closes the listener and lets requests under way finish. A connection kept alive after its last answer is closed
 * within 50 ms; one whose request has not finished after `drainMs` is cut, so that no client can keep the process.
 */
export async function drain(app: Pick<FastifyInstance, "server" | "close">, drainMs: number): Promise<void> {
  const idle = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
  const late = setTimeout(() => app.server.closeAllConnections(), drainMs);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}
