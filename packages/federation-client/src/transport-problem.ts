import type { Problem } from "@mosaicstack/foundation";
import { peerProblem } from "./problems.ts";

/** Connections that could not be made, or broke. */
const unreachable: Readonly<Record<string, string>> = {
  ENOTFOUND: "Its host name is not known.",
  EAI_AGAIN: "Its host name could not be looked up.",
  ECONNREFUSED: "Nothing listens at its address.",
  EHOSTUNREACH: "There is no route to its address.",
  ENETUNREACH: "There is no route to its address.",
  ETIMEDOUT: "Its address does not answer.",
  UND_ERR_CONNECT_TIMEOUT: "Its address does not answer.",
  ECONNRESET: "It ended the connection, which it also does where it does not accept this gateway's certificate.",
  EPIPE: "It ended the connection, which it also does where it does not accept this gateway's certificate.",
  UND_ERR_SOCKET: "It ended the connection, which it also does where it does not accept this gateway's certificate.",
};

/** Server certificates that OpenSSL or Node's name check refuses, other than for the time. */
const untrusted = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_CHAIN_TOO_LONG",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
]);

const incompatible: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_OVERFLOW: "Its answer's headers are larger than this gateway reads.",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "Its answer is not as long as it says.",
};

/** OpenSSL's names for alerts about our certificate. */
const TLS_ALERT = /ALERT\w*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/;

/** What a connection that was cut by us says: at our deadline, or because the peer went silent. */
const timeouts = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_ABORTED"]);

/** Node's or undici's failure of a request to a peer, explained. The cause is for the log only. */
export function transportProblem(cause: unknown): Problem {
  const code = codeOf(cause);
  const lost = unreachable[code];
  if (lost !== undefined)
    return peerProblem("peer_unreachable", { detail: `The peer cannot be reached. ${lost}`, cause });
  if (timeouts.has(code) || isAbort(cause)) return peerProblem("peer_timeout", { cause });
  if (untrusted.has(code)) return peerProblem("ca_pin_mismatch", { cause });
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return peerProblem("ca_pin_mismatch", { detail: "The server's certificate is for another host name.", cause });
  }
  if (code === "CERT_NOT_YET_VALID") {
    return peerProblem("clock_skew", {
      detail: "The server's certificate is not valid yet, by this gateway's clock.",
      cause,
    });
  }
  if (code === "CERT_HAS_EXPIRED") {
    return peerProblem("clock_skew", {
      detail: "The server's certificate is not valid any more, by this gateway's clock.",
      remedy:
        "Check this gateway's clock. If it is right, the peer's administrator has to renew the server's certificate.",
      cause,
    });
  }
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return peerProblem("peer_answer_too_large", { cause });
  const wrong = incompatible[code];
  if (wrong !== undefined) return peerProblem("peer_incompatible", { detail: wrong, cause });
  if (TLS_ALERT.test(code)) {
    return peerProblem("peer_denied", { detail: "The peer does not accept this gateway's certificate.", cause });
  }
  if (code.startsWith("HPE_")) return peerProblem("peer_incompatible", { detail: "It does not speak HTTP.", cause });
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") {
    return peerProblem("peer_incompatible", { detail: "It does not speak TLS as this gateway asks for it.", cause });
  }
  return peerProblem("peer_unreachable", { cause });
}

/**
 * Whether a failure may be the way a peer refuses a client certificate: it ends the connection, and says no more
 * (trust decision 8). It may be anything else as well, and proves nothing.
 */
export function mayBeRefusal(problem: Problem): boolean {
  if (problem.code === "peer_unreachable") return isBrokenConnection(problem.cause);
  return problem.code === "peer_denied" && TLS_ALERT.test(codeOf(problem.cause));
}

/** Whether a socket broke under a request, as one does that the other side closed while it was idle. */
export function isBrokenConnection(cause: unknown): boolean {
  return ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"].includes(codeOf(cause));
}

function isAbort(cause: unknown): boolean {
  return cause instanceof Error && (cause.name === "AbortError" || cause.name === "TimeoutError");
}

/** An AggregateError (all addresses of a host failed) has its first failure's code. */
function codeOf(cause: unknown): string {
  if (typeof cause !== "object" || cause === null) return "";
  if ("code" in cause && typeof cause.code === "string") return cause.code;
  if (cause instanceof AggregateError) return codeOf(cause.errors[0]);
  return "cause" in cause ? codeOf(cause.cause) : "";
}
