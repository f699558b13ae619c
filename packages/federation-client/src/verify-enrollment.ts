import { X509Certificate } from "node:crypto";
import { checkIssuedCertificate, fingerprintOf } from "@mosaicstack/federation-protocol";
import type { Problem } from "@mosaicstack/foundation";
import type { EnrollmentAnswer } from "./enrollment.ts";
import { peerProblem } from "./problems.ts";

/** The longest life of a client certificate that any gateway may be configured to issue. */
const MAX_LIFETIME_MS = 90 * 86_400_000;
/** A difference of clocks worth telling of. */
const NOTABLE_SKEW_MS = 60_000;
/** Refusals of `checkIssuedCertificate` that a wrong clock on either side explains. */
const timeReasons = new Set(["it is not valid yet", "it has expired", "it lives longer than asked"]);

/** What a peer is read with, every part of it checked. */
export interface VerifiedEnrollment {
  /** `https://host:port`. */
  readonly endpoint: string;
  /** Exactly one certificate, the pinned one, whatever else stood in the answer. */
  readonly rootPem: string;
  readonly certificatePem: string;
  readonly remoteGrantId: string;
  readonly notAfter: Date;
}

/**
 * Checks all of an enrollment's answer before any of it is used or stored: the root is the pinned one, and the certificate
 * is of that root, for our key, for this grant and subject, for client authentication alone, and valid by our clock.
 *
 * @throws Problem `ca_pin_mismatch`, `clock_skew` or `peer_incompatible`
 */
export function verifyEnrollment(
  { response, remoteNow }: EnrollmentAnswer,
  expected: { readonly caFingerprint: string; readonly spkiSha256: string; readonly now: Date },
): VerifiedEnrollment {
  const { now } = expected;
  const rootPem = pinned(response.root, expected.caFingerprint);
  const { id: grantId, subject_user_id: subjectUserId } = response.grant;
  const reading = checkIssuedCertificate(response.certificate, {
    rootPem,
    spkiSha256: expected.spkiSha256,
    identity: { grantId, subjectUserId },
    now,
    notAfter: new Date(now.getTime() + MAX_LIFETIME_MS + NOTABLE_SKEW_MS),
  });
  if (reading.kind === "bad") {
    const skewMs = remoteNow === undefined ? 0 : remoteNow.getTime() - now.getTime();
    if (timeReasons.has(reading.reason) && Math.abs(skewMs) > NOTABLE_SKEW_MS) throw skewed(skewMs);
    throw incompatible(`The certificate it issued cannot be used: ${reading.reason}.`);
  }
  return {
    endpoint: origin(response.endpoint),
    rootPem,
    certificatePem: new X509Certificate(response.certificate).toString(),
    remoteGrantId: grantId,
    notAfter: reading.notAfter,
  };
}

/** One certificate as PEM: a text that holds several would make trust anchors of them all. */
function pinned(pem: string, caFingerprint: string): string {
  let matches: boolean;
  try {
    matches = fingerprintOf(pem) === caFingerprint;
  } catch {
    throw incompatible("The root certificate it sent cannot be read.");
  }
  if (!matches)
    throw peerProblem("ca_pin_mismatch", { detail: "The peer's root certificate is not the one the invite names." });
  return new X509Certificate(pem).toString();
}

/** Where peers are answered: https, a host, and nothing else. */
function origin(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const plain =
    url !== undefined && `${url.username}${url.password}${url.search}${url.hash}` === "" && url.pathname === "/";
  if (!plain || url.protocol !== "https:" || url.hostname === "") {
    throw incompatible("The address it gave for queries is not an https:// address of a host.");
  }
  return url.origin;
}

function skewed(skewMs: number): Problem {
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  const length =
    minutes < 120
      ? `${minutes} min`
      : minutes < 2880
        ? `${Math.round(minutes / 60)} h`
        : `${Math.round(minutes / 1440)} days`;
  const detail = `This gateway's clock is ${length} ${skewMs > 0 ? "behind" : "ahead of"} the peer's.`;
  return peerProblem("clock_skew", { detail });
}

function incompatible(detail: string): Problem {
  return peerProblem("peer_incompatible", { detail });
}
