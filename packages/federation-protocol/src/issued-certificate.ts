import { X509Certificate } from "node:crypto";
import { type CertificateIdentity, readCertificateIdentity, serialOf, spkiOf } from "./certificate-identity.ts";

const CLIENT_AUTH_OID = "1.3.6.1.5.5.7.3.2";
const CLOCK_LEEWAY_MS = 60_000;
/** Positive, and no longer than RFC 5280 4.1.2.2 allows: it is what a revocation names. */
const SERIAL = /^[1-9a-f][0-9a-f]{0,39}$/;

export type IssuedCertificateReading =
  | { readonly kind: "good"; readonly serial: string; readonly notAfter: Date; readonly identity: CertificateIdentity }
  | { readonly kind: "bad"; readonly reason: string };

/** What a certificate was asked for. */
export interface ExpectedCertificate {
  readonly rootPem: string;
  /** SHA-256 of the public key it was asked for, hex. */
  readonly spkiSha256: string;
  readonly identity: CertificateIdentity;
  readonly now: Date;
  /** The latest end that is acceptable. Default: no bound but the root's own. */
  readonly notAfter?: Date;
}

/**
 * Checks a client certificate that a CA has just issued, before anybody uses it: our key, the identity expected, client
 * authentication and nothing else, valid now and not longer than asked, and signed by the pinned root. Both sides check: the serving side
 * what its CA returned, the querying side what its peer returned. Never throws.
 */
export function checkIssuedCertificate(
  certificatePem: string,
  expected: ExpectedCertificate,
): IssuedCertificateReading {
  try {
    return check(new X509Certificate(certificatePem), new X509Certificate(expected.rootPem), expected);
  } catch {
    // Also where the certificate can be read, but not the key in it or in its root.
    return bad("it is not a certificate");
  }
}

function bad(reason: string): IssuedCertificateReading {
  return { kind: "bad", reason };
}

function check(
  certificate: X509Certificate,
  root: X509Certificate,
  expected: ExpectedCertificate,
): IssuedCertificateReading {
  if (!root.ca || !certificate.checkIssued(root) || !certificate.verify(root.publicKey)) {
    return bad("it is not signed by the pinned root");
  }
  if (certificate.ca) return bad("it is a CA's certificate");
  if (spkiOf(certificate) !== expected.spkiSha256) return bad("it is for another key");
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (usages?.length !== 1 || usages[0] !== CLIENT_AUTH_OID) return bad("it is not for client authentication alone");
  const identity = readCertificateIdentity(certificate.raw);
  if (identity.kind === "malformed") return bad(identity.reason);
  if (identity.grantId !== expected.identity.grantId) return bad("it names another grant");
  if (identity.subjectUserId !== expected.identity.subjectUserId) return bad("it names another subject");
  const notBefore = new Date(certificate.validFrom);
  const notAfter = new Date(certificate.validTo);
  const rootNotAfter = new Date(root.validTo);
  // A time that is none compares as neither before nor after anything.
  if ([notBefore, notAfter, rootNotAfter].some((time) => Number.isNaN(time.getTime()))) {
    return bad("its validity cannot be read");
  }
  if (notBefore.getTime() > expected.now.getTime() + CLOCK_LEEWAY_MS) return bad("it is not valid yet");
  if (notAfter <= expected.now) return bad("it has expired");
  if (notAfter > rootNotAfter) return bad("it outlives its root");
  if (expected.notAfter !== undefined && notAfter > expected.notAfter) return bad("it lives longer than asked");
  const serial = serialOf(certificate);
  if (!SERIAL.test(serial)) return bad("its serial number is not positive, or longer than 20 bytes");
  const { grantId, subjectUserId } = identity;
  return { kind: "good", serial, notAfter, identity: { grantId, subjectUserId } };
}
