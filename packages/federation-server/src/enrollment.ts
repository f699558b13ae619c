import type { IssuedCertificate } from "@mosaicstack/certificate-authority";
import type { RateLimits } from "@mosaicstack/coordination";
import { type Clock, Problem } from "@mosaicstack/foundation";
import {
  type EnrollmentResponse,
  enrollmentRequestSchema,
  federationProblem,
  hashToken,
  parseRequest,
} from "@mosaicstack/federation-protocol";
import { appendAudit, type AuditEntry, schema, type Store } from "@mosaicstack/storage";
import { and, eq, gt, or } from "drizzle-orm";
import {
  type CertificateRow,
  type Certificates,
  type GrantRow,
  type KeyRequest,
  keyUsedBefore,
  requireKeyRequest,
} from "./certificates.ts";

const { federationCertificates, federationEnrollmentTokens, federationGrants } = schema;

/** Each redemption is recorded, and may be signed for: whoever has an invite may not cause any number of either. */
const MOST_REDEMPTIONS = { perMinute: 60, burst: 60, concurrent: "unlimited" } as const;

/** Where a request comes from, for the audit. */
export interface RequestOrigin {
  readonly requestId?: string;
  /** The client's network address. */
  readonly address?: string;
}

/** What the querying side tells its user, each with a remedy of its own. */
type RefusalReason = "expired" | "used" | "revoked" | "suspended";

/** Undefined: a newer invite has taken this one's place. */
function reasonOf(status: GrantRow["status"] | undefined): RefusalReason | undefined {
  if (status === "suspended" || status === "revoked") return status;
  return status === "pending" || status === "active" ? undefined : "expired";
}

/** Redeems invites: one token, one key, at most one certificate (trust decision 2). */
export interface Enrollment {
  /**
   * Redeems an enrollment request. The same key may ask again until the token expires or the new peer has made its first call,
   * and is answered the same. Success and refusal are audited, the token never.
   *
   * A grant that has a peer already keeps its certificate until the new one is used.
   *
   * @throws Problem `request_malformed`, `signing_request_invalid`, `enrollment_refused`, `rate_limited`, `authority_unavailable`
   */
  redeem(body: unknown, from?: RequestOrigin): Promise<EnrollmentResponse>;
}

/** What an invite is for, and the certificate that its key got before, of whichever grant. */
interface Claim {
  readonly grant: GrantRow;
  readonly earlier: CertificateRow | null;
}

/** What is known of an attempt while it is under way. */
interface Attempt {
  readonly from: RequestOrigin;
  tokenHash?: string;
  grant?: GrantRow;
}

export function createEnrollment(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly certificates: Certificates;
  /** Where this gateway answers peers; known once it listens. */
  readonly endpoint: () => string;
  /** Where it publishes its CRL; known once it listens. */
  readonly crlUrl: () => string;
  /** Of all replicas. */
  readonly limits: RateLimits;
}): Enrollment {
  const { store, clock, certificates, limits } = dependencies;
  const refused = (cause: string, reason?: RefusalReason) =>
    federationProblem("enrollment_refused", {
      cause: new Error(cause),
      ...(reason === undefined ? {} : { extensions: { reason } }),
    });

  /**
   * Binds the token to the first key that asks. Compare-and-set, so that of many keys one wins before anything is signed. Grant, and
   * what the key got before, are read by the same statement: each costs as much as a certificate's whole check.
   */
  async function claim(hash: string, spki: string): Promise<Claim> {
    const { status, claimedSpki, tokenHash, expiresAt, grantId } = federationEnrollmentTokens;
    const claimable = or(eq(status, "open"), and(eq(status, "claimed"), eq(claimedSpki, spki)));
    const [claimed] = await store.db
      .update(federationEnrollmentTokens)
      .set({ status: "claimed", claimedSpki: spki })
      .from(federationGrants)
      .leftJoin(federationCertificates, eq(federationCertificates.spki, spki))
      .where(and(eq(tokenHash, hash), eq(federationGrants.id, grantId), gt(expiresAt, clock.now()), claimable))
      .returning({ grant: federationGrants, earlier: federationCertificates });
    if (claimed === undefined) throw await notClaimable(hash);
    return claimed;
  }

  /** Why, told to whoever has the token, which nobody guesses. Of one that never was, nothing is said. */
  async function notClaimable(hash: string): Promise<Problem> {
    const token = await tokenOf(hash);
    if (token === undefined) return refused("there is no such token");
    if (token.status === "consumed") return refused("the token is consumed", "used");
    if (token.status === "void") return refused("the token is void", reasonOf((await grantOf(token.grantId))?.status));
    if (token.expiresAt <= clock.now()) return refused("the token has expired", "expired");
    return refused("the token is claimed by another key", "used");
  }

  async function tokenOf(hash: string) {
    const { tokenHash } = federationEnrollmentTokens;
    return (await store.db.select().from(federationEnrollmentTokens).where(eq(tokenHash, hash)))[0];
  }

  async function grantOf(id: string): Promise<GrantRow | undefined> {
    return (await store.db.select().from(federationGrants).where(eq(federationGrants.id, id)))[0];
  }

  function isOpenTo(grant: GrantRow | undefined): grant is GrantRow {
    if (grant === undefined || (grant.status !== "pending" && grant.status !== "active")) return false;
    return grant.expiresAt === null || grant.expiresAt > clock.now();
  }

  /** The certificate this key got from this grant before, if it is the grant's newest and still good. A key with any other past is refused. */
  function answerAgain(grant: GrantRow, earlier: CertificateRow | null | undefined): CertificateRow | undefined {
    if (earlier === null || earlier === undefined) return undefined;
    const isGood = earlier.revokedAt === null && earlier.supersededAt === null && earlier.notAfter > clock.now();
    if (earlier.grantId !== grant.id || !isGood) throw keyUsedBefore();
    return earlier;
  }

  /** What forbids to use a certificate that was signed for the grant as it was. */
  function changeSince(
    current: GrantRow | undefined,
    claimed: typeof federationEnrollmentTokens.$inferSelect | undefined,
    issued: IssuedCertificate,
  ): string | undefined {
    if (!isOpenTo(current)) return "the grant changed while its certificate was signed";
    if (current.expiresAt !== null && issued.notAfter > current.expiresAt) {
      return "the grant's end was brought forward while its certificate was signed";
    }
    return claimed?.status === "claimed" ? undefined : "the invite was withdrawn while its certificate was signed";
  }

  /**
   * Activates the grant, records the certificate and audits it, in one transaction. Grant and token are read again there: a
   * certificate that was signed while either changed is recorded as revoked, and is not to be delivered.
   *
   * @returns the certificate as it was recorded; or what changed, if anything did
   */
  async function activate(
    { grantId, tokenHash, spki }: { readonly grantId: string; readonly tokenHash: string; readonly spki: string },
    issued: IssuedCertificate,
    from: RequestOrigin,
  ): Promise<CertificateRow | string> {
    const now = clock.now();
    return await store.transaction(async (db) => {
      // Both locked, so that both are as they are now: after a wait for one of them, too.
      const [found] = await db
        .select({ current: federationGrants, claimed: federationEnrollmentTokens })
        .from(federationGrants)
        .innerJoin(federationEnrollmentTokens, eq(federationEnrollmentTokens.grantId, federationGrants.id))
        .where(and(eq(federationGrants.id, grantId), eq(federationEnrollmentTokens.tokenHash, tokenHash)))
        .for("update");
      const current = found?.current;
      const generation = (current?.generation ?? 0) + 1;
      const certificate = { grantId, generation, spki, issued };
      const change = changeSince(current, found?.claimed, issued);
      if (change !== undefined || current === undefined) {
        await certificates.recordUndelivered(db, certificate);
        return change ?? "the grant is gone";
      }
      const recorded = await certificates.record(db, certificate);
      const activated = { status: "active", activatedAt: current.activatedAt ?? now } as const;
      await db
        .update(federationGrants)
        .set({ ...activated, generation, generationSpki: spki, lateRenewals: 0 })
        .where(eq(federationGrants.id, grantId));
      await appendAudit(db, now, {
        ...auditOf({ from, grant: current }),
        outcome: "ok",
        serial: issued.serial,
        details: { ...addressOf(from), generation, ends: issued.notAfter.toISOString() },
      });
      return recorded;
    });
  }

  async function certificateFor(
    { grant, earlier }: Claim,
    request: KeyRequest,
    { from, tokenHash }: { readonly from: RequestOrigin; readonly tokenHash: string },
  ): Promise<CertificateRow> {
    const spki = request.spkiSha256;
    const known = answerAgain(grant, earlier);
    if (known !== undefined) {
      const again = { ...auditOf({ from, grant }), outcome: "ok", reason: "answered again", serial: known.serial };
      await appendAudit(store.db, clock.now(), again);
      return known;
    }
    const issued = await certificates.sign(grant, request);
    const recorded = await activate({ grantId: grant.id, tokenHash, spki }, issued, from).catch(
      async (error: unknown) => {
        // The same key asked twice at once and the other was first: both are answered with the one that was recorded.
        const first = answerAgain(grant, await certificates.findByKey(spki));
        if (first === undefined) throw error;
        return first;
      },
    );
    if (typeof recorded === "string") throw refused(recorded);
    return recorded;
  }

  /** Of one invite by the key that it is bound to; other keys, and other tokens, are limited with all refusals. */
  async function requireUnhurried(hash: string): Promise<void> {
    const redemption = await limits.take(`enroll:token:${hash}`, MOST_REDEMPTIONS);
    if (redemption.kind === "taken") return;
    const seconds = Math.max(1, Math.ceil(redemption.retryAfterMs / 1000));
    throw federationProblem("rate_limited", { headers: { "retry-after": String(seconds) } });
  }

  async function redeem(attempt: Attempt, body: unknown): Promise<EnrollmentResponse> {
    const { token, csr } = parseRequest(enrollmentRequestSchema, body);
    const tokenHash = hashToken(token);
    attempt.tokenHash = tokenHash;
    const request = await requireKeyRequest(csr);
    const claimed = await claim(tokenHash, request.spkiSha256);
    const { grant } = claimed;
    const reason = reasonOf(grant.status);
    await requireUnhurried(tokenHash);
    attempt.grant = grant;
    if (!isOpenTo(grant)) throw refused("the grant is not open to enrollment", reason);
    const certificate = await certificateFor(claimed, request, { from: attempt.from, tokenHash });
    const { from, until } = certificates.windowOf(certificate);
    return {
      certificate: certificate.pem,
      chain: certificate.chainPem,
      root: certificates.rootPem,
      endpoint: dependencies.endpoint(),
      generation: certificate.generation,
      renew: { from: from.toISOString(), until: until.toISOString() },
      crl_url: dependencies.crlUrl(),
      grant: {
        id: grant.id,
        name: grant.name,
        subject_user_id: grant.subjectUserId,
        expires_at: grant.expiresAt?.toISOString() ?? null,
      },
    };
  }

  /** Whose invite it was is known by the token, even where it could not be claimed. */
  async function auditRefusal(attempt: Attempt, error: unknown): Promise<void> {
    const { from, tokenHash } = attempt;
    const token = attempt.grant === undefined && tokenHash !== undefined ? await tokenOf(tokenHash) : undefined;
    const grant = attempt.grant ?? (token === undefined ? undefined : await grantOf(token.grantId));
    const { code, reason } = refusalOf(error);
    if (code === "rate_limited") return;
    const entry = { ...auditOf({ from, ...(grant === undefined ? {} : { grant }) }), outcome: code };
    await appendAudit(store.db, clock.now(), { ...entry, reason, details: addressOf(from) });
  }

  return {
    async redeem(body, from = {}) {
      const attempt: Attempt = { from };
      try {
        return await redeem(attempt, body);
      } catch (error) {
        // Where the audit fails too, the database is away, which the first failure says as well.
        await auditRefusal(attempt, error).catch(() => undefined);
        throw error;
      }
    },
  };
}

/** The code of a refusal, and why in a few words of this gateway's own. */
export function refusalOf(error: unknown): { readonly code: string; readonly reason: string } {
  if (!(error instanceof Problem)) return { code: "serving_failed", reason: "fault" };
  const { cause } = error;
  return { code: error.code, reason: cause instanceof Error ? cause.message : error.message };
}

function auditOf({ from, grant }: { readonly from: RequestOrigin; readonly grant?: GrantRow }) {
  return {
    side: "serving",
    event: "enrollment",
    ...(from.requestId === undefined ? {} : { requestId: from.requestId }),
    ...(grant === undefined ? {} : { grantId: grant.id, subjectUserId: grant.subjectUserId }),
  } as const satisfies Partial<AuditEntry>;
}

function addressOf({ address }: RequestOrigin): { address?: string } {
  return address === undefined ? {} : { address };
}
