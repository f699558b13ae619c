import type { CertificateIdentity } from "@mosaicstack/federation-protocol";

/** What a certificate is asked for. The subject is empty in both; nothing of the request but its key is taken over. */
export type IssueRequest =
  | {
      readonly kind: "client";
      /** PKCS #10, DER; read by `readSigningRequest` before. */
      readonly csr: Uint8Array;
      readonly identity: CertificateIdentity;
      readonly notAfter: Date;
    }
  | {
      readonly kind: "server";
      readonly csr: Uint8Array;
      readonly dnsNames: readonly string[];
      readonly ipAddresses: readonly string[];
      readonly notAfter: Date;
    };

export interface IssuedCertificate {
  readonly certificatePem: string;
  /** What stands between the certificate and the root, nearest first; empty when the root signed it. */
  readonly chainPem: readonly string[];
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** As asked, or sooner: no certificate outlives its issuers, or the longest life that the authority gives. */
  readonly notAfter: Date;
}

/** Why a certificate is revoked, with the codes of RFC 5280 5.3.1. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const;
export type RevocationReason = keyof typeof REVOCATION_REASONS;

/** A reason as it is stored; `unspecified` where none is, or one that is not known here. */
export function revocationReasonOf(text: string | null): RevocationReason {
  return text !== null && Object.hasOwn(REVOCATION_REASONS, text) ? (text as RevocationReason) : "unspecified";
}

export interface Revocation {
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly reason: RevocationReason;
  /** When it was decided, which may be long before the authority can be told. */
  readonly at: Date;
}

/** A CRL (RFC 5280 5) as it is served to anyone. */
export interface PublishedRevocationList {
  readonly der: Uint8Array;
  /** The CA's certificate whose key signed it: what it is read with. */
  readonly issuerPem: string;
  /** Grows with every list of this authority. */
  readonly number: bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

/** Issues and revokes the certificates of one trust domain. Its key never leaves it. */
export interface CertificateAuthority {
  /** The trust anchor, which invites pin. */
  readonly rootPem: string;
  /**
   * What another program returned has been checked before: it says what was asked for, and its chain ends in the root.
   *
   * @throws Problem `signing_request_invalid` when the request is not one this protocol allows
   * @throws Problem `ca_unreachable`, `ca_refused` or `ca_answer_invalid` when the authority is another program
   * @throws Error when it asks for what no certificate can say: an end that is past, no host names
   */
  issue(request: IssueRequest): Promise<IssuedCertificate>;
  /**
   * Puts a serial on the CRL. To revoke what is revoked is a success, so a caller that doesn't know whether it came through
   * asks again. What is refused at the listener never waits for this: the deny list in the database is what decides.
   *
   * @throws Problem `ca_unreachable` or `ca_refused` when the authority is another program
   */
  revoke(revocation: Revocation): Promise<void>;
  /**
   * The list as of now. It may be up to some seconds old, which `revoke` of the same process is not kept waiting for.
   *
   * @throws Problem `ca_unreachable`, `ca_refused` or `ca_answer_invalid` when the authority is another program
   */
  crl(): Promise<PublishedRevocationList>;
}
