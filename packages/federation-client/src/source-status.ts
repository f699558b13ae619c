import type { Problem } from "@mosaicstack/foundation";
import type { SourceReport, SourceStatus } from "@mosaicstack/federation-protocol";

/**
 * How a source that failed took part in an answer. `revoked` needs proof: the peer's stored state, or the peer's own word over a
 * connection that the pinned CA vouches for. No broken connection is ever read as a revocation (trust decision 8).
 */
export function statusOf(problem: Problem): SourceStatus {
  if (problem.code === "peer_revoked" || problem.code === "grant_revoked") return "revoked";
  if (problem.code === "source_gone") return "gone";
  if (problem.code === "ca_pin_mismatch" || problem.code === "clock_skew") return "offline";
  if (problem.code === "peer_incompatible" || problem.code === "peer_answer_too_large") return "incompatible";
  switch (problem.status) {
    case 401:
    case 403:
      return "denied";
    case 408:
    case 504:
      return "timeout";
    case 429:
      return "rate_limited";
    default:
      return problem.status >= 500 ? "offline" : "incompatible";
  }
}

/** A failure as an answer's `sources` carries it. */
export function reportedError({ code, details }: Problem): NonNullable<SourceReport["error"]> {
  const { detail, remedy, retry_after: seconds } = details;
  return { code, detail, remedy, ...(typeof seconds === "number" ? { retry_after: seconds } : {}) };
}
