import type { Clock } from "@mosaicstack/foundation";
import { type CertificateIdentity, federationProblem } from "@mosaicstack/federation-protocol";
import type { ReadStore } from "@mosaicstack/storage";
import { shareReadings } from "./shared-readings.ts";
import { type GrantStanding, requireUsable } from "./stages/require-usable.ts";

export interface ActiveGrant {
  readonly id: string;
  readonly name: string;
  readonly subjectUserId: string;
  readonly subjectName: string;
  /** As stored: to be read with `scopeOf`. */
  readonly scope: unknown;
  readonly expiresAt: Date | null;
  readonly requestsPerMinute: number;
  readonly concurrentRequests: number;
}

/** The inner join on users: a grant whose subject is gone matches nothing. */
const statement = `
  select g.id, g.name, g.status, g.scope, g.expires_at as "expiresAt",
    g.requests_per_minute as "requestsPerMinute", g.concurrent_requests as "concurrentRequests",
    g.subject_user_id as "subjectUserId", u.name as "subjectName", c.not_after as "certificateExpiresAt",
    c.revoked_at as "certificateRevokedAt", c.superseded_at as "certificateSupersededAt"
  from federation_certificates c
    join federation_grants g on g.id = c.grant_id
    join users u on u.id = g.subject_user_id
  where c.serial = $1 and g.id = $2::uuid and g.subject_user_id = $3::uuid`;

interface Presented {
  readonly identity: CertificateIdentity;
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * The grant a certificate belongs to, if it can be used now. Read from the database after it was asked for, each time: authority
 * is the grant's, and a certificate only points at it. Expired and superseded certificates, which may still ask for the next one,
 * are refused here.
 *
 * @throws Problem `grant_unknown`, and what `requireUsable` throws
 */
export type FindActiveGrant = (certificate: Presented) => Promise<ActiveGrant>;

export function createGrantLookup({
  store,
  clock,
}: {
  readonly store: ReadStore;
  readonly clock: Clock;
}): FindActiveGrant {
  const rowOf = shareReadings(
    ({ serial, identity }: Presented) => `${serial} ${identity.grantId} ${identity.subjectUserId}`,
    async ({ serial, identity }) => {
      const parameters = [serial, identity.grantId, identity.subjectUserId];
      const [row] = await store.query<ActiveGrant & GrantStanding>(statement, parameters);
      return row;
    },
  );
  return async (certificate) => {
    const row = await rowOf(certificate);
    if (row === undefined) throw federationProblem("grant_unknown");
    requireUsable(row, certificate, clock.now());
    return row;
  };
}
