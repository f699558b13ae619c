import { X509Certificate } from "node:crypto";
import { readCertificateIdentity, type RenewalResponse, type RenewalWindow } from "@mosaicstack/federation-protocol";
import { incompatible, originOf, type VerifiedCertificate, verifyIssued } from "./verify-issued.ts";

/** The next pair's certificate, every part of it checked. */
export interface VerifiedRenewal extends VerifiedCertificate {
  readonly generation: number;
  readonly window: RenewalWindow;
  /** `https://host:port`. */
  readonly endpoint: string;
}

/**
 * Checks all of a renewal's answer: as an enrollment's, and in addition that it names the same grant and subject as the
 * certificate in use, and is of a later generation.
 *
 * @param remoteNow the peer's clock
 * @throws Problem `clock_skew` or `peer_incompatible`
 */
export function verifyRenewal(
  response: RenewalResponse,
  remoteNow: Date | undefined,
  current: {
    readonly rootPem: string;
    readonly certificatePem: string;
    readonly generation: number;
    /** Of the key that the new certificate was asked for. */
    readonly spkiSha256: string;
    readonly now: Date;
  },
): VerifiedRenewal {
  const { rootPem, spkiSha256, now } = current;
  const identity = readCertificateIdentity(new X509Certificate(current.certificatePem).raw);
  if (identity.kind === "malformed") throw incompatible(`The certificate in use names nobody: ${identity.reason}.`);
  const issued = verifyIssued(response, { rootPem, spkiSha256, identity, now }, remoteNow);
  if (response.generation <= current.generation) {
    throw incompatible("The certificate it issued is not of a later generation than the one in use.");
  }
  return {
    ...issued,
    generation: response.generation,
    window: { from: new Date(response.renew.from), until: new Date(response.renew.until) },
    endpoint: originOf(response.endpoint),
  };
}
