import { type CertificateIdentity, federationProblem } from "@mosaicstack/federation-protocol";
import type { ReadStore } from "@mosaicstack/storage";

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
}

/** The inner join on users: a grant whose subject is gone matches nothing. */
const statement = `
  select g.id, g.name, g.status, g.scope, g.expires_at as "expiresAt",
    g.subject_user_id as "subjectUserId", u.name as "subjectName",
    c.not_after as "certificateExpiresAt", c.revoked_at as "certificateRevokedAt"
  from federation_certificates c
    join federation_grants g on g.id = c.grant_id
    join users u on u.id = g.subject_user_id
  where c.serial = $1 and g.id = $2::uuid and g.subject_user_id = $3::uuid`;

/**
 * The grant a certificate belongs to, if it can be used now. Read anew for each request: authority is the grant's, and a
 * certificate only points at it.
 * @throws Problem `grant_unknown`, `grant_revoked`, `grant_expired`, `grant_inactive`
 */
export async function findActiveGrant(
  store: ReadStore,
  identity: CertificateIdentity,
  serial: string,
  now: Date,
): Promise<ActiveGrant> {
  const [row] = await store.query<GrantRow>(statement, [serial, identity.grantId, identity.subjectUserId]);
  if (row === undefined) throw federationProblem("grant_unknown");
  if (row.status === "revoked" || row.certificateRevokedAt !== null) throw federationProblem("grant_revoked");
  if (row.status === "expired" || row.certificateExpiresAt <= now) throw federationProblem("grant_expired");
  if (row.expiresAt !== null && row.expiresAt <= now) throw federationProblem("grant_expired");
  if (row.status !== "active") throw federationProblem("grant_inactive");
  return row;
}
