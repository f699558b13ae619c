import { federationProblem } from "@mosaicstack/federation-protocol";

/** How a grant and the certificate presented for it stand, as the database has them. */
export interface GrantStanding {
  readonly status: "pending" | "active" | "suspended" | "revoked" | "expired";
  readonly expiresAt: Date | null;
  readonly certificateExpiresAt: Date;
  readonly certificateRevokedAt: Date | null;
  readonly certificateSupersededAt: Date | null;
}

/** How long a certificate goes on after a newer one was used for the first time: for what is under way with the old one. */
export const OVERLAP_MS = 60_000;

/**
 * Whether a grant can be used with this certificate at this moment.
 *
 * @throws Problem `grant_revoked`, `grant_expired`, `grant_suspended`, `grant_inactive`, `certificate_superseded`,
 * `certificate_not_yet_valid`
 */
export function requireUsable(
  grant: GrantStanding,
  certificate: { readonly notBefore: Date; readonly notAfter: Date },
  now: Date,
): void {
  if (grant.status === "revoked" || grant.certificateRevokedAt !== null) throw federationProblem("grant_revoked");
  if (grant.status === "expired" || (grant.expiresAt !== null && grant.expiresAt <= now)) {
    throw federationProblem("grant_expired");
  }
  // By what the certificate says and by what is recorded of it: whichever is stricter.
  if (certificate.notAfter <= now || grant.certificateExpiresAt <= now) throw federationProblem("grant_expired");
  if (certificate.notBefore > now) throw federationProblem("certificate_not_yet_valid");
  if (grant.status === "suspended") throw federationProblem("grant_suspended");
  if (grant.status !== "active") throw federationProblem("grant_inactive");
  if (isPastOverlap(grant.certificateSupersededAt, now)) throw federationProblem("certificate_superseded");
}

/** Whether a superseded certificate's time is over. */
export function isPastOverlap(supersededAt: Date | null, now: Date): boolean {
  return supersededAt !== null && supersededAt.getTime() + OVERLAP_MS <= now.getTime();
}
