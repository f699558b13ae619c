import { X509Certificate } from "node:crypto";
import { fingerprintOf, REVOCATION_LIST_PATH, type RenewalWindow } from "@mosaicstack/federation-protocol";
import type { EnrollmentAnswer } from "./enrollment.ts";
import { peerProblem } from "./problems.ts";
import { incompatible, originOf, type VerifiedCertificate, verifyIssued } from "./verify-issued.ts";

/** What a peer is read with, every part of it checked. */
export interface VerifiedEnrollment extends VerifiedCertificate {
  /** `https://host:port`. */
  readonly endpoint: string;
  /** Exactly one certificate, the pinned one, whatever else stood in the answer. */
  readonly rootPem: string;
  readonly remoteGrantId: string;
  /** Which of the grant's certificates it is, counted from 1. */
  readonly generation: number;
  /** When the peer wants to be asked for the next one. */
  readonly window: RenewalWindow;
  /** Where the peer publishes its CRL; null: it did not say, or it is no http(s) address of a CRL on its own hosts. */
  readonly crlUrl: string | null;
}

/**
 * Checks all of an enrollment's answer before any of it is used or stored: the root is the pinned one, and the certificate
 * is of that root by the chain that came with it, for our key, for this grant and subject, for client authentication alone, and valid by our clock.
 *
 * @throws Problem `ca_pin_mismatch`, `clock_skew` or `peer_incompatible`
 */
export function verifyEnrollment(
  { response, remoteNow }: EnrollmentAnswer,
  expected: {
    /** Where the invite was redeemed. */
    readonly enrollUrl: string;
    readonly caFingerprint: string;
    readonly spkiSha256: string;
    readonly now: Date;
  },
): VerifiedEnrollment {
  const { spkiSha256, now } = expected;
  const rootPem = pinned(response.root, expected.caFingerprint);
  const { id: grantId, subject_user_id: subjectUserId } = response.grant;
  const identity = { grantId, subjectUserId };
  const endpoint = originOf(response.endpoint);
  const issued = verifyIssued(response, { rootPem, spkiSha256, identity, now }, remoteNow);
  return {
    ...issued,
    endpoint,
    rootPem,
    remoteGrantId: grantId,
    generation: response.generation,
    window: { from: new Date(response.renew.from), until: new Date(response.renew.until) },
    crlUrl: listAddress(response.crl_url, { enrollUrl: expected.enrollUrl, endpoint }),
  };
}

/**
 * An address that is only ever read from, and only where gateways publish a CRL: on the peer's own hosts, the one it was invited from or
 * the one it answers at, without a name, a password or a question in it, so that a peer has this gateway's network asked nothing else.
 * Without one a peer still works; null where it is none.
 */
function listAddress(
  text: string,
  { enrollUrl, endpoint }: { readonly enrollUrl: string; readonly endpoint: string },
): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, username, password, origin, hostname, pathname, search, hash, href } = new URL(text);
  const isPlain = `${username}${password}${search}${hash}` === "" && pathname.endsWith(REVOCATION_LIST_PATH);
  // The endpoint's port is another: peers' certificates are asked for there, and a CRL is public.
  const isItsOwn = origin === new URL(enrollUrl).origin || hostname === new URL(endpoint).hostname;
  return (protocol === "https:" || protocol === "http:") && isPlain && isItsOwn ? href : null;
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
