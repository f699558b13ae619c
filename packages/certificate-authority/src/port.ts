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
  readonly notAfter: Date;
}

/** Issues the certificates of one trust domain. Its key never leaves it. */
export interface CertificateAuthority {
  /** The trust anchor, which invites pin. */
  readonly rootPem: string;
  /**
   * @throws Problem `signing_request_invalid` when the request is not one this protocol allows
   * @throws Error when it asks for what no certificate can say: an end that is past, no host names
   */
  issue(request: IssueRequest): Promise<IssuedCertificate>;
}
