import type { IssuedCertificate } from "@mosaicstack/certificate-authority";
import { type Clock, Problem } from "@mosaicstack/foundation";
import {
  federationProblem,
  parseRequest,
  RENEWAL_GRACE_MS,
  renewalRequestSchema,
  type RenewalResponse,
} from "@mosaicstack/federation-protocol";
import { appendAudit, schema, type Store } from "@mosaicstack/storage";
import { and, eq } from "drizzle-orm";
import { createAttemptLimit } from "./attempt-limit.ts";
import {
  type CertificateRow,
  type Certificates,
  type GrantRow,
  type KeyRequest,
  keyUsedBefore,
  requireKeyRequest,
} from "./certificates.ts";
import { refusalOf } from "./enrollment.ts";
import type { IdentifiedPeer } from "./peer-identity.ts";
import { createRenewalClaims, type Presented } from "./renewal-claim.ts";
import { suspendGrant } from "./revocation.ts";

const { federationCertificates, federationGrants, users } = schema;
const DEFAULT_LEAST_INTERVAL_MS = 60_000;
/** What is left of a grant when no certificate is worth signing for it any more. */
const LEAST_LIFE_MS = 60_000;
/**
 * Refused renewals are recorded one by one, so a peer may not cause any number of them. Of each certificate by itself: whoever holds
 * an old one of the grant, a thief too, keeps the newest from nothing.
 */
const MOST_ATTEMPTS = { max: 60, windowMs: 60_000 };

export type RenewalOutcome =
  | { readonly kind: "renewed"; readonly response: RenewalResponse }
  /** The grant is suspended, and that is committed: its sockets are to be cut once this one has been told. */
  | { readonly kind: "cloned"; readonly problem: Problem };

/** Gives a peer its next certificate, each time as a new decision on its grant (trust decisions 5 and 7). */
export interface Renewal {
  /**
   * Renews with the certificate of the connection, which may have been superseded, or have expired no longer ago than
   * `RENEWAL_GRACE_MS`; whoever renews late more than twice in a row is refused. The same key may ask again at any time and gets
   * the same certificate. Another key where the next certificate has been asked for already: two hold this one's key.
   *
   * @throws Problem `request_malformed`, `signing_request_invalid`, `grant_unknown`, `grant_revoked`, `grant_expired`,
   * `grant_suspended`, `grant_inactive`, `grant_changed`, `certificate_superseded`, `rate_limited`, `authority_unavailable`
   */
  renew(peer: IdentifiedPeer, body: unknown, requestId: string): Promise<RenewalOutcome>;
}

export function createRenewal(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly certificates: Certificates;
  /** Where this gateway answers peers; known once it listens. */
  readonly endpoint: () => string;
  /** The shortest time from one new certificate of a grant to the next. Default one minute. */
  readonly leastIntervalMs?: number;
}): Renewal {
  const { store, clock, certificates, leastIntervalMs = DEFAULT_LEAST_INTERVAL_MS } = dependencies;
  const claims = createRenewalClaims({ store, clock, leastIntervalMs });
  const attempts = createAttemptLimit({ clock, ...MOST_ATTEMPTS });

  /** The join on users: a grant whose subject is gone matches nothing. */
  async function presentedBy({ serial, identity, notAfter }: IdentifiedPeer): Promise<Presented & { lateMs: number }> {
    const { grantId, subjectUserId } = identity;
    const [row] = await store.db
      .select({ grant: federationGrants, certificate: federationCertificates })
      .from(federationCertificates)
      .innerJoin(federationGrants, eq(federationGrants.id, federationCertificates.grantId))
      .innerJoin(users, eq(users.id, federationGrants.subjectUserId))
      .where(
        and(
          eq(federationCertificates.serial, serial),
          eq(federationGrants.id, grantId),
          eq(federationGrants.subjectUserId, subjectUserId),
        ),
      );
    if (row === undefined) throw federationProblem("grant_unknown");
    // By what the certificate says and by what is recorded of it: whichever is stricter.
    const lateMs = clock.now().getTime() - Math.min(notAfter.getTime(), row.certificate.notAfter.getTime());
    return { ...row, lateMs, isLate: lateMs >= 0 };
  }

  /** @throws Problem where the grant is not one to renew for, now */
  function requireLive(grant: GrantRow): void {
    if (grant.status === "revoked") throw federationProblem("grant_revoked");
    const left = grant.expiresAt === null ? LEAST_LIFE_MS : grant.expiresAt.getTime() - clock.now().getTime();
    if (grant.status === "expired" || left < LEAST_LIFE_MS) throw federationProblem("grant_expired");
    if (grant.status === "suspended") throw federationProblem("grant_suspended");
    if (grant.status !== "active") throw federationProblem("grant_inactive");
  }

  /** Two keys want to follow one certificate, so two hold its key: nobody is to use the grant until a person has looked. */
  async function refuseClone(grant: GrantRow, certificate: CertificateRow, requestId: string): Promise<Problem> {
    const at = clock.now();
    const problem = federationProblem("grant_suspended", { cause: new Error("cloned_key") });
    await store.transaction(async (db) => {
      await suspendGrant(db, grant.id, { at, reason: "cloned_key" });
      await appendAudit(db, at, {
        ...auditOf({ grant, certificate }, requestId),
        outcome: problem.code,
        reason: "cloned_key",
        details: { generation: certificate.generation, current_generation: grant.generation },
      });
    });
    return problem;
  }

  /**
   * Records the certificate and audits it, in one transaction that reads the grant again. Where it changed, the certificate is
   * recorded as revoked, its claim is given up, and it is not to be delivered.
   *
   * @returns the refusal, where there is one
   */
  async function record(claimed: GrantRow, spki: string, issued: IssuedCertificate, requestId: string) {
    const { id: grantId, generation } = claimed;
    return await store.transaction(async (db): Promise<Problem | undefined> => {
      const [current] = await db.select().from(federationGrants).where(eq(federationGrants.id, grantId)).for("update");
      const certificate = { grantId, generation, spki, issued };
      const refusal = changeSince(current, claimed, issued);
      if (refusal !== undefined) {
        await certificates.recordUndelivered(db, certificate);
        const own = and(eq(federationGrants.id, grantId), eq(federationGrants.generation, generation));
        await db
          .update(federationGrants)
          .set({ generationSpki: null })
          .where(and(own, eq(federationGrants.generationSpki, spki)));
        return refusal;
      }
      await certificates.record(db, certificate);
      await appendAudit(db, clock.now(), {
        ...auditOf({ grant: claimed, certificate: { serial: issued.serial } }, requestId),
        outcome: "ok",
        details: { generation, ends: issued.notAfter.toISOString(), late_renewals: claimed.lateRenewals },
      });
      return undefined;
    });
  }

  function changeSince(
    current: GrantRow | undefined,
    claimed: GrantRow,
    issued: IssuedCertificate,
  ): Problem | undefined {
    if (current === undefined) return federationProblem("grant_unknown");
    try {
      requireLive(current);
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
    const isOwn = current.generation === claimed.generation && current.generationSpki === claimed.generationSpki;
    if (!isOwn) return federationProblem("certificate_superseded");
    const outlives = current.expiresAt !== null && issued.notAfter > current.expiresAt;
    return outlives ? federationProblem("grant_changed") : undefined;
  }

  /** The certificate that this key got, as the one that follows the presented. A key with any other past is refused. */
  async function answeredEarlier({ grant, certificate }: Presented, spki: string): Promise<CertificateRow | undefined> {
    const earlier = await certificates.findByKey(spki);
    if (earlier === undefined) return undefined;
    const follows = earlier.grantId === grant.id && earlier.generation === certificate.generation + 1;
    if (!follows) throw keyUsedBefore();
    // Signed while the grant changed, and void since: only another key gets any further.
    if (earlier.revokedAt !== null) throw federationProblem("grant_changed");
    if (earlier.notAfter <= clock.now()) throw federationProblem("grant_expired");
    return earlier;
  }

  async function signFor(presented: Presented, claimed: GrantRow, request: KeyRequest, requestId: string) {
    const spki = request.spkiSha256;
    const issued = await certificates.sign(claimed, request);
    const refusal = await record(claimed, spki, issued, requestId).catch(async (error: unknown) => {
      // The same key asked twice at once and the other was first: both are answered with the one that was recorded.
      if ((await answeredEarlier(presented, spki)) === undefined) throw error;
      return undefined;
    });
    if (refusal !== undefined) throw refusal;
    const recorded = await certificates.findByKey(spki);
    if (recorded === undefined) throw new Error("the certificate was recorded and is not there");
    return recorded;
  }

  async function renew(peer: IdentifiedPeer, body: unknown, requestId: string): Promise<RenewalOutcome> {
    const { csr } = parseRequest(renewalRequestSchema, body);
    const request = await requireKeyRequest(csr);
    const presented = await presentedBy(peer);
    const { certificate, lateMs } = presented;
    if (certificate.revokedAt !== null) throw federationProblem("grant_revoked");
    requireLive(presented.grant);
    if (peer.notBefore > clock.now()) throw federationProblem("certificate_not_yet_valid");
    if (lateMs > RENEWAL_GRACE_MS) throw federationProblem("grant_expired");
    const earlier = await answeredEarlier(presented, request.spkiSha256);
    if (earlier !== undefined) return renewed(earlier);
    const claim = await claims.claim(presented, request.spkiSha256);
    switch (claim.kind) {
      case "claimed":
        return renewed(await signFor(presented, claim.grant, request, requestId));
      case "followed by an enrollment":
        throw federationProblem("certificate_superseded");
      case "cloned":
        return { kind: "cloned", problem: await refuseClone(claim.grant, certificate, requestId) };
    }
  }

  function renewed(certificate: CertificateRow): RenewalOutcome {
    const { from, until } = certificates.windowOf(certificate);
    const response = {
      certificate: certificate.pem,
      chain: certificate.chainPem,
      generation: certificate.generation,
      renew: { from: from.toISOString(), until: until.toISOString() },
      endpoint: dependencies.endpoint(),
    };
    return { kind: "renewed", response };
  }

  return {
    async renew(peer, body, requestId) {
      const attempt = attempts.attempt(peer.serial);
      if (attempt.kind === "refused") {
        throw federationProblem("rate_limited", { headers: { "retry-after": String(attempt.retryAfterSeconds) } });
      }
      try {
        return await renew(peer, body, requestId);
      } catch (error) {
        const { code, reason } = refusalOf(error);
        const { grantId, subjectUserId } = peer.identity;
        const entry = {
          side: "serving",
          event: "renewal",
          grantId,
          subjectUserId,
          serial: peer.serial,
          requestId,
        } as const;
        // Where the audit fails too, the database is away, which the first failure says as well.
        if (code !== "rate_limited") {
          await appendAudit(store.db, clock.now(), { ...entry, outcome: code, reason }).catch(() => undefined);
        }
        throw error;
      }
    },
  };
}

function auditOf({ grant, certificate }: { grant: GrantRow; certificate: { serial: string } }, requestId: string) {
  const { id: grantId, subjectUserId } = grant;
  return { side: "serving", event: "renewal", grantId, subjectUserId, serial: certificate.serial, requestId } as const;
}
