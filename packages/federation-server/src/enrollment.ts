import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import type { Clock } from "@mosaicstack/foundation";
import {
  checkIssuedCertificate,
  type EnrollmentResponse,
  enrollmentRequestSchema,
  federationProblem,
  hashToken,
  parseRequest,
  readSigningRequest,
} from "@mosaicstack/federation-protocol";
import { schema, type Store } from "@mosaicstack/storage";
import { and, eq, gt, isNull, max, ne, or } from "drizzle-orm";
import type { LiveSockets } from "./live-sockets.ts";

const { federationCertificates, federationEnrollmentTokens, federationGrants } = schema;
type GrantRow = typeof federationGrants.$inferSelect;

/** Redeems invites: one token, one key, at most one certificate (docs/adr, trust decision 2). */
export interface Enrollment {
  /**
   * Redeems an enrollment request. The same key may ask again until the token expires, and is answered the same.
   * @throws Problem `request_malformed`, `signing_request_invalid`, `enrollment_refused`
   */
  redeem(body: unknown): Promise<EnrollmentResponse>;
  /** Ends the token a certificate came from, on the new peer's first connection: every replay is refused from then on. */
  confirm(grantId: string, spki: string): Promise<void>;
}

export function createEnrollment(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly authority: CertificateAuthority;
  readonly liveSockets: LiveSockets;
  readonly certificateLifetimeDays: number;
  /** Where this gateway answers peers; known once it listens. */
  readonly endpoint: () => string;
}): Enrollment {
  const { store, clock, authority, liveSockets } = dependencies;
  const refused = (cause: string) => federationProblem("enrollment_refused", { cause: new Error(cause) });

  /** Binds the token to the first key that asks. Compare-and-set, so that of many keys one wins before anything is signed. */
  async function claim(token: string, spki: string): Promise<string> {
    const { status, claimedSpki, tokenHash, expiresAt, grantId } = federationEnrollmentTokens;
    const claimable = or(eq(status, "open"), and(eq(status, "claimed"), eq(claimedSpki, spki)));
    const [claimed] = await store.db
      .update(federationEnrollmentTokens)
      .set({ status: "claimed", claimedSpki: spki })
      .where(and(eq(tokenHash, hashToken(token)), gt(expiresAt, clock.now()), claimable))
      .returning({ grantId });
    if (claimed === undefined) throw refused("no open token, or one claimed by another key");
    return claimed.grantId;
  }

  function isOpenTo(grant: GrantRow | undefined): grant is GrantRow {
    if (grant === undefined || (grant.status !== "pending" && grant.status !== "active")) return false;
    return grant.expiresAt === null || grant.expiresAt > clock.now();
  }

  /** The certificate this key got from this grant before. A key with any other past is refused: each has one certificate. */
  async function issuedEarlier(grantId: string, spki: string): Promise<string | undefined> {
    const [earlier] = await store.db.select().from(federationCertificates).where(eq(federationCertificates.spki, spki));
    if (earlier !== undefined && (earlier.grantId !== grantId || earlier.revokedAt !== null)) {
      throw federationProblem("signing_request_invalid", { detail: "The signing request: its key was used before." });
    }
    return earlier?.pem;
  }

  function notAfter(grant: GrantRow): Date {
    const end = clock.now().getTime() + dependencies.certificateLifetimeDays * 86_400_000;
    return new Date(Math.min(end, grant.expiresAt?.getTime() ?? end));
  }

  /** Has the CA sign, and checks what it returns before anybody gets it. */
  async function sign(grant: GrantRow, request: { der: Uint8Array; spkiSha256: string }) {
    const identity = { grantId: grant.id, subjectUserId: grant.subjectUserId };
    const end = notAfter(grant);
    const issued = await authority.issue({ kind: "client", csr: request.der, identity, notAfter: end });
    const check = checkIssuedCertificate(issued.certificatePem, {
      rootPem: authority.rootPem,
      spkiSha256: request.spkiSha256,
      identity,
      now: clock.now(),
      notAfter: end,
    });
    if (check.kind === "bad")
      throw new Error(`the certificate authority returned an unusable certificate: ${check.reason}`);
    return issued;
  }

  /**
   * Records the certificate and activates the grant, in one transaction. Grant and token are read again there: a certificate
   * that was signed while either changed is not recorded, so the listener does not know it, and is not delivered.
   */
  async function activate(grant: GrantRow, spki: string, issued: Awaited<ReturnType<typeof sign>>): Promise<void> {
    const now = clock.now();
    await store.transaction(async (db) => {
      const [current] = await db.select().from(federationGrants).where(eq(federationGrants.id, grant.id)).for("update");
      if (!isOpenTo(current)) throw refused("the grant changed while its certificate was signed");
      const { status, claimedSpki, grantId: tokenGrant } = federationEnrollmentTokens;
      const claimed = await db
        .select({ status })
        .from(federationEnrollmentTokens)
        .where(and(eq(tokenGrant, grant.id), eq(claimedSpki, spki), eq(status, "claimed")));
      if (claimed.length === 0) throw refused("the invite was withdrawn while its certificate was signed");
      const [latest] = await db
        .select({ generation: max(federationCertificates.generation) })
        .from(federationCertificates)
        .where(eq(federationCertificates.grantId, grant.id));
      await db.insert(federationCertificates).values({
        serial: issued.serial,
        grantId: grant.id,
        generation: (latest?.generation ?? 0) + 1,
        spki,
        pem: issued.certificatePem,
        notAfter: issued.notAfter,
        issuedAt: now,
      });
      const { grantId, serial, revokedAt } = federationCertificates;
      await db
        .update(federationCertificates)
        .set({ revokedAt: now })
        .where(and(eq(grantId, grant.id), ne(serial, issued.serial), isNull(revokedAt)));
      await db
        .update(federationGrants)
        .set({ status: "active", activatedAt: current.activatedAt ?? now })
        .where(eq(federationGrants.id, grant.id));
    });
    liveSockets.cut(grant.id);
  }

  async function certificateFor(grant: GrantRow, request: { der: Uint8Array; spkiSha256: string }): Promise<string> {
    const earlier = await issuedEarlier(grant.id, request.spkiSha256);
    if (earlier !== undefined) return earlier;
    const issued = await sign(grant, request);
    try {
      await activate(grant, request.spkiSha256, issued);
      return issued.certificatePem;
    } catch (error) {
      // The same key asked twice at once and the other was first: both are answered with the one that was recorded.
      const recorded = await issuedEarlier(grant.id, request.spkiSha256);
      if (recorded === undefined) throw error;
      return recorded;
    }
  }

  return {
    async redeem(body) {
      const { token, csr } = parseRequest(enrollmentRequestSchema, body);
      const request = await readSigningRequest(csr);
      if (request.kind === "malformed") {
        throw federationProblem("signing_request_invalid", { detail: `The signing request: ${request.reason}.` });
      }
      const grantId = await claim(token, request.spkiSha256);
      const [grant] = await store.db.select().from(federationGrants).where(eq(federationGrants.id, grantId));
      if (!isOpenTo(grant)) throw refused("the grant is not open to enrollment");
      return {
        certificate: await certificateFor(grant, request),
        root: authority.rootPem,
        endpoint: dependencies.endpoint(),
        grant: {
          id: grant.id,
          name: grant.name,
          subject_user_id: grant.subjectUserId,
          expires_at: grant.expiresAt?.toISOString() ?? null,
        },
      };
    },

    async confirm(grantId, spki) {
      const { grantId: grant, claimedSpki, status } = federationEnrollmentTokens;
      await store.db
        .update(federationEnrollmentTokens)
        .set({ status: "consumed" })
        .where(and(eq(grant, grantId), eq(claimedSpki, spki), eq(status, "claimed")));
    },
  };
}
