import { type CertificateIdentity, federationProblem } from "@mosaicstack/federation-protocol";
import type { ReadStore } from "@mosaicstack/storage";
import type { PeerCertificate } from "./peer-identity.ts";

export interface ActiveGrant {
  readonly id: string;
  readonly name: string;
  readonly subjectUserId: string;
  readonly subjectName: string;
  /** As stored: to be read with `scopeOf`. */
  readonly scope: unknown;
  readonly expiresAt: Date | null;
}

interface GrantRow extends ActiveGrant {
  readonly status: "pending" | "active" | "suspended" | "revoked" | "expired";
  readonly certificateExpiresAt: Date;
  readonly certificateRevokedAt: Date | null;
  readonly certificateSupersededAt: Date | null;
}

/** How long a certificate goes on after a newer one was used for the first time: for what is under way with the old one. */
export const OVERLAP_MS = 60_000;

/** The inner join on users: a grant whose subject is gone matches nothing. */
const statement = `
  select g.id, g.name, g.status, g.scope, g.expires_at as "expiresAt",
    g.subject_user_id as "subjectUserId", u.name as "subjectName", c.not_after as "certificateExpiresAt",
    c.revoked_at as "certificateRevokedAt", c.superseded_at as "certificateSupersededAt"
  from federation_certificates c
    join federation_grants g on g.id = c.grant_id
    join users u on u.id = g.subject_user_id
  where c.serial = $1 and g.id = $2::uuid and g.subject_user_id = $3::uuid`;

/**
 * The grant a certificate belongs to, if it can be used now. Read anew for each request: authority is the grant's, and a
 * certificate only points at it. Expired and superseded certificates, which may still ask for
 * the next one, are refused here.
 *
 * @throws Problem `grant_unknown`, `grant_revoked`, `grant_expired`, `grant_suspended`, `grant_inactive`,
 * `certificate_superseded`, `certificate_not_yet_valid`
 */
export async function findActiveGrant(
  store: ReadStore,
  identity: CertificateIdentity,
  certificate: Pick<PeerCertificate, "serial" | "notBefore" | "notAfter">,
  now: Date,
): Promise<ActiveGrant> {
  const [row] = await store.query<GrantRow>(statement, [certificate.serial, identity.grantId, identity.subjectUserId]);
  if (row === undefined) throw federationProblem("grant_unknown");
  if (row.status === "revoked" || row.certificateRevokedAt !== null) throw federationProblem("grant_revoked");
  if (row.status === "expired" || (row.expiresAt !== null && row.expiresAt <= now)) {
    throw federationProblem("grant_expired");
  }
  // By what the certificate says and by what is recorded of it: whichever is stricter.
  if (certificate.notAfter <= now || row.certificateExpiresAt <= now) throw federationProblem("grant_expired");
  if (certificate.notBefore > now) throw federationProblem("certificate_not_yet_valid");
  if (row.status === "suspended") throw federationProblem("grant_suspended");
  if (row.status !== "active") throw federationProblem("grant_inactive");
  if (isPastOverlap(row.certificateSupersededAt, now)) throw federationProblem("certificate_superseded");
  return row;
}

/** Whether a superseded certificate's time is over. */
export function isPastOverlap(supersededAt: Date | null, now: Date): boolean {
  return supersededAt !== null && supersededAt.getTime() + OVERLAP_MS <= now.getTime();
}
