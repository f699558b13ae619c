import { Problem } from "@mosaicstack/foundation";
import { resourceProblem } from "@mosaicstack/resources";
import { constraintViolation, databaseProblem, storageProblem } from "@mosaicstack/storage";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { gatewayProblem } from "../problems.ts";
import type { RouteTable } from "./route-table.ts";

/** What Fastify refuses a request with before a route sees it. */
const FASTIFY_PROBLEMS: Readonly<Record<string, Parameters<typeof gatewayProblem>[0]>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "json_malformed",
  FST_ERR_CTP_EMPTY_JSON_BODY: "json_malformed",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "request_malformed",
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "media_type_unsupported",
  FST_ERR_BAD_URL: "route_unknown",
  FST_ERR_MAX_PARAM_LENGTH: "route_unknown",
};

/** SQLSTATE class 22: a value the database cannot store. 53 and 57: it is out of something, or was told to stop. */
const UNSTORABLE = /^22...$/;
const UNAVAILABLE = /^(?:53|57)...$/;

function codesOf(error: unknown): string[] {
  const found: string[] = [];
  for (let fault = error; fault instanceof Error && found.length < 8; fault = fault.cause) {
    if ("code" in fault && typeof fault.code === "string") found.push(fault.code);
  }
  return found;
}

/** A store's own problem names host and port, which are for the log and not for whoever asks. */
function isDatabaseDown(error: unknown): boolean {
  const code = databaseProblem(error)?.code ?? "";
  return code.startsWith("database_") && code in storageProblem.table;
}

/** What a caller is told of any error: the problem it is, or one that says no more than what they can act on. */
export function problemOf(error: unknown): Problem {
  if (isDatabaseDown(error)) return gatewayProblem("database_unavailable", { cause: error });
  if (error instanceof Problem) return error;
  const codes = codesOf(error);
  const known = FASTIFY_PROBLEMS[codes[0] ?? ""];
  if (known !== undefined) return gatewayProblem(known, { cause: error });
  if (codes.some((code) => UNSTORABLE.test(code))) {
    return resourceProblem("invalid_input", {
      detail: "A value cannot be stored.",
      extensions: { path: "" },
      cause: error,
    });
  }
  if (constraintViolation(error)?.kind === "foreign_key") {
    const detail = "Something that the request refers to, or its user, was removed meanwhile.";
    return resourceProblem("not_found", { detail, cause: error });
  }
  if (codes.some((code) => UNAVAILABLE.test(code))) return gatewayProblem("database_unavailable", { cause: error });
  return gatewayProblem("internal", { cause: error });
}

/** Sends a problem as RFC 9457 has it, with the id its log line goes by. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const problem = problemOf(error);
  if (problem.status >= 500) request.log.error({ err: error, code: problem.code }, problem.message);
  return reply
    .code(problem.status)
    .headers({ "x-request-id": request.id, ...problem.headers })
    .type("application/problem+json")
    .serializer((body: string) => body)
    .send(JSON.stringify({ ...problem.details, request_id: request.id }));
}

/** The one place where errors become answers. */
export function answerWithProblems(app: FastifyInstance, routes: RouteTable): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => sendProblem(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const allowed = routes.methodsOf(request.url);
    if (allowed.length === 0) return sendProblem(request, reply, gatewayProblem("route_unknown"));
    return sendProblem(
      request,
      reply,
      gatewayProblem("method_not_allowed", { headers: { allow: allowed.join(", ") } }),
    );
  });
}
