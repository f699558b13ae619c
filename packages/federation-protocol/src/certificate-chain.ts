import { X509Certificate } from "node:crypto";
import { readCertificateFields } from "./certificate-fields.ts";

const MAX_INTERMEDIATES = 3;
/** What clocks may differ by. */
export const CLOCK_LEEWAY_MS = 60_000;
const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

export type ChainReading =
  | {
      readonly kind: "chained";
      /** The issuing CA's certificate: the first of the chain, or the root. */
      readonly issuer: X509Certificate;
      /** When the first of the CAs expires. */
      readonly notAfter: Date;
    }
  | { readonly kind: "broken"; readonly reason: string };

/**
 * Follows a certificate to the pinned root: each is signed by the next, which is a CA's, valid now, and may have as many CAs below it
 * as it has. All of the chain is needed, and in this order. Says nothing of the certificate's own validity and purpose.
 *
 * @param chainPem what stands between certificate and root, nearest first; each text holds one certificate
 * @throws Error when one of them, or its key, cannot be read
 */
export function followChain(
  certificate: X509Certificate,
  { chainPem, rootPem, now }: { readonly chainPem: readonly string[]; readonly rootPem: string; readonly now: Date },
): ChainReading {
  const broken = (reason: string): ChainReading => ({ kind: "broken", reason });
  if (chainPem.length > MAX_INTERMEDIATES) return broken(`its chain has more than ${MAX_INTERMEDIATES} intermediates`);
  const issuers = [...chainPem, rootPem].map((pem) => new X509Certificate(pem));
  let below = certificate;
  let notAfter = Number.POSITIVE_INFINITY;
  for (const [position, issuer] of issuers.entries()) {
    const isRoot = position === issuers.length - 1;
    if (!issuer.ca || !below.checkIssued(issuer) || !below.verify(issuer.publicKey)) {
      if (!isRoot) return broken(`it is not signed by certificate ${position + 1} of its chain`);
      return broken(
        position === 0 ? "it is not signed by the pinned root" : "its chain does not end in the pinned root",
      );
    }
    if (readCertificateFields(issuer.raw).pathLength < position)
      return broken("its chain is longer than its CAs allow");
    const [begin, end] = [issuer.validFrom, issuer.validTo].map((text) => new Date(text).getTime());
    if (begin === undefined || end === undefined || Number.isNaN(begin + end))
      return broken("its chain's validity cannot be read");
    if (begin > now.getTime() + CLOCK_LEEWAY_MS) return broken("its chain is not valid yet");
    if (end <= now.getTime()) return broken("its chain has expired");
    notAfter = Math.min(notAfter, end);
    below = issuer;
  }
  const [issuer] = issuers;
  if (issuer === undefined) return broken("it has no issuer");
  return { kind: "chained", issuer, notAfter: new Date(notAfter) };
}

/** The certificates in a text, each as PEM by itself: a certificate that is stored with its chain. Nothing else of the text is kept. */
export function splitCertificates(pem: string): readonly string[] {
  return pem.match(PEM) ?? [];
}
