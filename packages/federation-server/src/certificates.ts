import type { CertificateAuthority, IssuedCertificate } from "@mosaicstack/certificate-authority";
import { type Clock, Problem } from "@mosaicstack/foundation";
import {
  checkIssuedCertificate,
  federationProblem,
  readSigningRequest,
  type RenewalWindow,
  renewalWindow,
} from "@mosaicstack/federation-protocol";
import { type Database, schema, type Store } from "@mosaicstack/storage";
import { and, desc, eq, isNull, lt } from "drizzle-orm";
import { recordRevokedCertificate } from "./revocation.ts";

const { federationCertificates, federationEnrollmentTokens, federationGrants } = schema;

export type GrantRow = typeof federationGrants.$inferSelect;
export type CertificateRow = typeof federationCertificates.$inferSelect;

/** A request for a certificate, read and found to be one of this protocol. */
export interface KeyRequest {
  /** PKCS #10, DER. */
  readonly der: Uint8Array;
  /** SHA-256 of the key, hex. */
  readonly spkiSha256: string;
}

/** The client certificates of grants, however they are asked for: enrollment and renewal share all that is here. */
export interface Certificates {
  /** What peers check their certificates by. */
  readonly rootPem: string;
  /**
   * Has the CA sign, and checks what it returns before anybody gets it. Not in a transaction: the CA may be far away.
   * It lives as long as configured, and no longer than its grant.
   *
   * @throws Problem `authority_unavailable`
   */
  sign(grant: GrantRow, request: KeyRequest): Promise<IssuedCertificate>;
  /** The certificate this key got, whatever became of it. A key gets one, ever. */
  findByKey(spki: string): Promise<CertificateRow | undefined>;
  /** Makes a certificate good, in the transaction that found its grant unchanged. @returns what is recorded */
  record(db: Database, certificate: NewCertificate): Promise<CertificateRow>;
  /** Records one whose grant has changed since it was asked for: revoked from the first, and never delivered. */
  recordUndelivered(db: Database, certificate: NewCertificate): Promise<void>;
  /**
   * A certificate's first use: proof that its holder has it. The certificates before it are superseded, and the invite that it
   * may have come from is used up, so that every replay is refused. Later uses change nothing.
   */
  confirm(serial: string): Promise<void>;
  /** When its holder should ask for the next. */
  windowOf(certificate: Pick<CertificateRow, "issuedAt" | "notAfter">): RenewalWindow;
}

export interface NewCertificate {
  readonly grantId: string;
  readonly generation: number;
  readonly spki: string;
  readonly issued: IssuedCertificate;
}

export function createCertificates(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly authority: Pick<CertificateAuthority, "issue" | "rootPem">;
  readonly certificateLifetimeDays: number;
}): Certificates {
  const { store, clock, authority } = dependencies;
  const { rootPem } = authority;

  function endFor(grant: GrantRow): Date {
    const end = clock.now().getTime() + dependencies.certificateLifetimeDays * 86_400_000;
    return new Date(Math.min(end, grant.expiresAt?.getTime() ?? end));
  }

  function rowOf({ grantId, generation, spki, issued }: NewCertificate) {
    const { serial, certificatePem: pem, chainPem, notAfter } = issued;
    return { serial, grantId, generation, spki, pem, chainPem: [...chainPem], notAfter, issuedAt: clock.now() };
  }

  return {
    rootPem,

    async sign(grant, { der, spkiSha256 }) {
      const identity = { grantId: grant.id, subjectUserId: grant.subjectUserId };
      const notAfter = endFor(grant);
      const issued = await authority.issue({ kind: "client", csr: der, identity, notAfter }).catch((cause: unknown) => {
        throw cause instanceof Problem && cause.status >= 500
          ? federationProblem("authority_unavailable", { cause })
          : cause;
      });
      const check = checkIssuedCertificate(issued, { rootPem, spkiSha256, identity, now: clock.now(), notAfter });
      if (check.kind === "bad") {
        const cause = new Error(`the certificate authority returned an unusable certificate: ${check.reason}`);
        throw federationProblem("authority_unavailable", { cause });
      }
      return issued;
    },

    async findByKey(spki) {
      const [row] = await store.db.select().from(federationCertificates).where(eq(federationCertificates.spki, spki));
      return row;
    },

    async record(db, certificate) {
      const row = rowOf(certificate);
      await db.insert(federationCertificates).values(row);
      return { ...row, confirmedAt: null, supersededAt: null, revokedAt: null };
    },

    async recordUndelivered(db, certificate) {
      await recordRevokedCertificate(db, { ...rowOf(certificate), revokedAt: clock.now() }, "cessationOfOperation");
    },

    async confirm(serial) {
      const now = clock.now();
      const {
        serial: serialColumn,
        grantId,
        generation,
        confirmedAt,
        supersededAt,
        revokedAt,
      } = federationCertificates;
      await store.transaction(async (db) => {
        const usable = and(isNull(confirmedAt), isNull(supersededAt), isNull(revokedAt));
        const [confirmed] = await db
          .update(federationCertificates)
          .set({ confirmedAt: now })
          .where(and(eq(serialColumn, serial), usable))
          .returning();
        if (confirmed === undefined) return;
        const older = and(eq(grantId, confirmed.grantId), lt(generation, confirmed.generation), isNull(supersededAt));
        // Newest first, as a revocation locks them: of several first uses at once, and a revocation, none is a deadlock's victim.
        await db
          .select({ serial: serialColumn })
          .from(federationCertificates)
          .where(older)
          .orderBy(desc(generation))
          .for("update");
        await db.update(federationCertificates).set({ supersededAt: now }).where(older);
        const { grantId: tokenGrant, claimedSpki, status } = federationEnrollmentTokens;
        await db
          .update(federationEnrollmentTokens)
          .set({ status: "consumed" })
          .where(and(eq(tokenGrant, confirmed.grantId), eq(claimedSpki, confirmed.spki), eq(status, "claimed")));
      });
    },

    windowOf: ({ issuedAt, notAfter }) => renewalWindow(issuedAt, notAfter),
  };
}

/** Reads a request from a peer. @throws Problem `signing_request_invalid` */
export async function requireKeyRequest(csr: string): Promise<KeyRequest> {
  const request = await readSigningRequest(csr);
  if (request.kind === "malformed") throw requestInvalid(`${request.reason}.`);
  return request;
}

/** The refusal of a key that got a certificate before: each gets one, ever. */
export function keyUsedBefore(): Problem {
  return requestInvalid("its key was used before.");
}

function requestInvalid(reason: string): Problem {
  return federationProblem("signing_request_invalid", { detail: `The signing request: ${reason}` });
}
