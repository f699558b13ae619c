import type { Problem } from "@mosaicstack/foundation";
import { RENEWAL_GRACE_MS } from "@mosaicstack/federation-protocol";
import { clockSkewProblem, notableSkew } from "./clock-skew.ts";
import { ENDED_UNHEARD } from "./renewal-store.ts";
import { mayBeRefusal } from "./transport-problem.ts";

/** What a failed renewal means for the peer. */
export type RenewalOutcome =
  /** It passes, or may. */
  | { readonly kind: "retry"; readonly problem: Problem }
  /** It passes, but not for this key. */
  | { readonly kind: "retry-with-another-key"; readonly problem: Problem }
  /** Asking again does not help; the certificate may be good for queries still. */
  | { readonly kind: "stopped"; readonly problem: Problem }
  | { readonly kind: "expired"; readonly problem: Problem; readonly reason: string }
  /** Said by the peer itself, over a connection that the pinned CA vouches for. */
  | { readonly kind: "revoked"; readonly problem: Problem };

/** Refusals that stay until somebody does something about them. */
const permanent = new Set([
  "grant_suspended",
  "grant_unknown",
  "identity_invalid",
  "certificate_superseded",
  "signing_request_invalid",
  "verb_unknown",
]);
/** Refusals by the peer's clock. */
const byTheClock = new Set(["grant_expired", "certificate_not_yet_valid"]);

/**
 * @param answer.remoteNow the peer's clock, where it answered at all
 * @param certificate.notAfter of the certificate the peer was asked with
 */
export function outcomeOf(
  problem: Problem,
  { remoteNow, now }: { readonly remoteNow: Date | undefined; readonly now: Date },
  { notAfter }: { readonly notAfter: Date },
): RenewalOutcome {
  if (problem.code === "grant_revoked") return { kind: "revoked", problem };
  if (permanent.has(problem.code)) return { kind: "stopped", problem };
  if (problem.code === "grant_changed") return { kind: "retry-with-another-key", problem };
  const skewMs = notableSkew(remoteNow, now);
  const isOver = (at: Date, graceMs = 0) => notAfter.getTime() + graceMs <= at.getTime();
  if (byTheClock.has(problem.code)) {
    const disagree = problem.code === "certificate_not_yet_valid" || isOver(remoteNow ?? now) !== isOver(now);
    if (skewMs !== 0 && disagree) return { kind: "retry", problem: clockSkewProblem(skewMs) };
    if (problem.code === "grant_expired") return { kind: "expired", problem, reason: problem.code };
    return { kind: "retry", problem };
  }
  if (isOver(now, RENEWAL_GRACE_MS)) {
    // Whoever answers lets us see whether it is our clock that is wrong.
    if (skewMs !== 0 && !isOver(remoteNow ?? now, RENEWAL_GRACE_MS)) {
      return { kind: "retry", problem: clockSkewProblem(skewMs) };
    }
    if (problem.code !== "clock_skew") return { kind: "expired", problem, reason: ENDED_UNHEARD };
  }
  return { kind: "retry", problem };
}

/** Whether a peer refused a pair that it may yet accept, so that the other pair is to be tried. */
export function refusesPair(problem: Problem): boolean {
  return (
    mayBeRefusal(problem) ||
    ["peer_denied", "grant_unknown", "grant_inactive", "identity_invalid", "certificate_superseded"].includes(
      problem.code,
    )
  );
}
