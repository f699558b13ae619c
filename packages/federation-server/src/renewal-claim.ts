import type { Clock } from "@mosaicstack/foundation";
import { federationProblem, MOST_LATE_RENEWALS } from "@mosaicstack/federation-protocol";
import { schema, type Store } from "@mosaicstack/storage";
import { and, asc, count, desc, eq, gt, isNull, or } from "drizzle-orm";
import type { CertificateRow, GrantRow } from "./certificates.ts";

const { federationCertificates, federationEnrollmentTokens, federationGrants } = schema;

/** A certificate that a renewal is asked for with, and its grant, as recorded. */
export interface Presented {
  readonly grant: GrantRow;
  readonly certificate: CertificateRow;
  /** It has expired. */
  readonly isLate: boolean;
}

export type RenewalClaim =
  | { readonly kind: "claimed"; readonly grant: GrantRow }
  /** An administrator had the peer enroll anew: whoever holds the older certificate is late, and not the second of two. */
  | { readonly kind: "followed by an enrollment" }
  /** Another key follows this certificate already: two hold its key. */
  | { readonly kind: "cloned"; readonly grant: GrantRow };

/** Which key follows a certificate: one, ever. */
export interface RenewalClaims {
  /**
   * Claims the generation after the certificate's for one key. The same key may claim it again.
   *
   * @throws Problem `grant_expired` for one time too many that the certificate has expired; `rate_limited`, `grant_changed`
   */
  claim(presented: Presented, spki: string): Promise<RenewalClaim>;
}

export function createRenewalClaims(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  /** The shortest time from one new certificate of a grant to the next. */
  readonly leastIntervalMs: number;
}): RenewalClaims {
  const { store, clock, leastIntervalMs } = dependencies;

  /** Two certificates in quick succession are one too many. By the record, so that it holds for all replicas. */
  async function requireUnhurried(grantId: string): Promise<void> {
    const { grantId: grant, issuedAt } = federationCertificates;
    const [newest] = await store.db
      .select({ issuedAt })
      .from(federationCertificates)
      .where(eq(grant, grantId))
      .orderBy(desc(issuedAt))
      .limit(1);
    const since = clock.now().getTime() - (newest?.issuedAt.getTime() ?? 0);
    // Issued in the future: the clock has been set back, and nobody is to wait until it has caught up.
    if (since < 0 || since >= leastIntervalMs) return;
    const retryAfter = String(Math.ceil((leastIntervalMs - since) / 1000));
    throw federationProblem("rate_limited", { headers: { "retry-after": retryAfter } });
  }

  /** Nobody has claimed what follows, or the claim came to nothing. */
  function isOpen(grant: GrantRow, { generation }: CertificateRow): boolean {
    return grant.generation === generation || (grant.generation === generation + 1 && grant.generationSpki === null);
  }

  /** Compare-and-set, so that of two keys one wins before anything is signed. */
  async function take({ grant, certificate, isLate }: Presented, spki: string): Promise<GrantRow | undefined> {
    const { id, status, generation, generationSpki } = federationGrants;
    const next = certificate.generation + 1;
    const open = or(eq(generation, certificate.generation), and(eq(generation, next), isNull(generationSpki)));
    const [taken] = await store.db
      .update(federationGrants)
      .set({ generation: next, generationSpki: spki, lateRenewals: isLate ? grant.lateRenewals + 1 : 0 })
      .where(and(eq(id, grant.id), eq(status, "active"), open))
      .returning();
    return taken;
  }

  async function isFollowedByEnrollment(grant: GrantRow, certificate: CertificateRow): Promise<boolean> {
    const { grantId, generation, revokedAt, spki } = federationCertificates;
    const [follower] = await store.db
      .select({ spki })
      .from(federationCertificates)
      .where(and(eq(grantId, grant.id), gt(generation, certificate.generation), isNull(revokedAt)))
      .orderBy(asc(generation))
      .limit(1);
    const followed = follower?.spki ?? grant.generationSpki;
    if (followed === null) return false;
    const { grantId: tokenGrant, claimedSpki } = federationEnrollmentTokens;
    const [tokens] = await store.db
      .select({ n: count() })
      .from(federationEnrollmentTokens)
      .where(and(eq(tokenGrant, grant.id), eq(claimedSpki, followed)));
    return (tokens?.n ?? 0) > 0;
  }

  return {
    async claim(presented, spki) {
      const { grant, certificate, isLate } = presented;
      if (isOpen(grant, certificate)) {
        if (isLate && grant.lateRenewals >= MOST_LATE_RENEWALS) throw federationProblem("grant_expired");
        await requireUnhurried(grant.id);
        const taken = await take(presented, spki);
        if (taken !== undefined) return { kind: "claimed", grant: taken };
      }
      const [current] = await store.db.select().from(federationGrants).where(eq(federationGrants.id, grant.id));
      // Something else happened to the grant at this very moment, which is no reason to suspect anybody.
      if (current?.status !== "active" || isOpen(current, certificate)) throw federationProblem("grant_changed");
      const isOwn = current.generation === certificate.generation + 1 && current.generationSpki === spki;
      if (isOwn) return { kind: "claimed", grant: current };
      if (await isFollowedByEnrollment(current, certificate)) return { kind: "followed by an enrollment" };
      return { kind: "cloned", grant: current };
    },
  };
}
