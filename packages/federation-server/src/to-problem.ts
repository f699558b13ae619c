import { Problem, redact } from "@mosaicstack/foundation";
import { federationProblem } from "@mosaicstack/federation-protocol";

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
