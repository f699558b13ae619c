import { certificateOf, type CertificateIdentity, checkIssuedCertificate } from "@mosaicstack/federation-protocol";
import type { Problem } from "@mosaicstack/foundation";
import { clockSkewProblem, NOTABLE_SKEW_MS, notableSkew } from "./clock-skew.ts";
import { peerProblem } from "./problems.ts";

/** The longest life of a client certificate that any gateway may be configured to issue. */
const MAX_LIFETIME_MS = 90 * 86_400_000;
/** Refusals of `checkIssuedCertificate` that a wrong clock on either side explains. */
const timeReasons = new Set([
  "it is not valid yet",
  "it has expired",
  "it lives longer than asked",
  "its chain is not valid yet",
  "its chain has expired",
]);

/** A client certificate that was checked, and what is presented with it. */
export interface VerifiedCertificate {
  readonly certificatePem: string;
  /** What stands between it and the root, nearest first. */
  readonly chainPem: string[];
  /** Lower-case hex. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * Checks a certificate that a peer issued to us before any of it is used or stored: of the pinned root by the chain that came
 * with it, for our key, for this grant and subject, for client authentication alone, and valid by our clock.
 *
 * @param remoteNow the peer's clock, by which a wrong time is told from a wrong certificate
 * @throws Problem `clock_skew` or `peer_incompatible`
 */
export function verifyIssued(
  returned: { readonly certificate: string; readonly chain: readonly string[] },
  expected: {
    readonly rootPem: string;
    readonly spkiSha256: string;
    readonly identity: CertificateIdentity;
    readonly now: Date;
  },
  remoteNow: Date | undefined,
): VerifiedCertificate {
  const { now } = expected;
  const reading = checkIssuedCertificate(
    { certificatePem: returned.certificate, chainPem: returned.chain },
    { ...expected, notAfter: new Date(now.getTime() + MAX_LIFETIME_MS + NOTABLE_SKEW_MS) },
  );
  if (reading.kind === "bad") {
    const skewMs = notableSkew(remoteNow, now);
    if (timeReasons.has(reading.reason) && skewMs !== 0) throw clockSkewProblem(skewMs);
    throw incompatible(`The certificate it issued cannot be used: ${reading.reason}.`);
  }
  const certificate = certificateOf(returned.certificate);
  return {
    // Written anew: whatever else stood in the texts is left behind.
    certificatePem: certificate.toString(),
    chainPem: returned.chain.map((pem) => certificateOf(pem).toString()),
    serial: reading.serial,
    notBefore: new Date(certificate.validFrom),
    notAfter: reading.notAfter,
  };
}

/** Where peers are answered: https, a host, and nothing else. @throws Problem `peer_incompatible` */
export function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const plain =
    url !== undefined && `${url.username}${url.password}${url.search}${url.hash}` === "" && url.pathname === "/";
  if (!plain || url.protocol !== "https:" || url.hostname === "") {
    throw incompatible("The address it gave for queries is not an https:// address of a host.");
  }
  return url.origin;
}

/** An answer that does not have the form, or the sense, that the protocol gives it. */
export function incompatible(detail: string): Problem {
  return peerProblem("peer_incompatible", { detail });
}
