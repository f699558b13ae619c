import { type KeyObject, X509Certificate } from "node:crypto";
import { readCertificateFields } from "./certificate-fields.ts";

const MAX_INTERMEDIATES = 3;
/** How many that were read are kept; 16 kB each at the most. */
const MAX_READ = 64;
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
  const issuers = [...chainPem, rootPem].map(issuerOf);
  let below = certificate;
  let notAfter = Number.POSITIVE_INFINITY;
  for (const [position, { certificate: issuer, publicKey, pathLength, begin, end }] of issuers.entries()) {
    const isRoot = position === issuers.length - 1;
    if (!issuer.ca || !below.checkIssued(issuer) || !below.verify(publicKey)) {
      if (!isRoot) return broken(`it is not signed by certificate ${position + 1} of its chain`);
      return broken(
        position === 0 ? "it is not signed by the pinned root" : "its chain does not end in the pinned root",
      );
    }
    if (pathLength < position) return broken("its chain is longer than its CAs allow");
    if (Number.isNaN(begin + end)) return broken("its chain's validity cannot be read");
    if (begin > now.getTime() + CLOCK_LEEWAY_MS) return broken("its chain is not valid yet");
    if (end <= now.getTime()) return broken("its chain has expired");
    notAfter = Math.min(notAfter, end);
    below = issuer;
  }
  const [issuer] = issuers;
  if (issuer === undefined) return broken("it has no issuer");
  return { kind: "chained", issuer: issuer.certificate, notAfter: new Date(notAfter) };
}

/** What is read of a certificate once, and never changes. That it is trusted is not part of it. */
interface Issuer {
  readonly certificate: X509Certificate;
  readonly publicKey: KeyObject;
  readonly pathLength: number;
  /** In milliseconds; NaN where it cannot be read. */
  readonly begin: number;
  readonly end: number;
}

/** The same few CAs issue everything: to read one takes as long as to verify three signatures. By its PEM. */
const readIssuers = new Map<string, Issuer>();

/** @throws Error where it, or its key, cannot be read */
function issuerOf(pem: string): Issuer {
  const known = readIssuers.get(pem);
  if (known !== undefined) return known;
  const certificate = certificateOf(pem);
  const issuer = {
    certificate,
    publicKey: certificate.publicKey,
    pathLength: readCertificateFields(certificate.raw).pathLength,
    begin: Date.parse(certificate.validFrom),
    end: Date.parse(certificate.validTo),
  };
  // Peers send chains, too: they may crowd others out, and no more than that.
  if (readIssuers.size >= MAX_READ) readIssuers.clear();
  readIssuers.set(pem, issuer);
  return issuer;
}

/** What was read last. A new certificate is looked at by its CA's adapter, by who asked for it and by who stores it. */
const readCertificates = new Map<string, X509Certificate>();

/**
 * Reads a certificate, once for the several that look at it one after the other.
 *
 * @param pem what stands around it is left behind: `toString` writes it anew
 * @throws Error where it cannot be read
 */
export function certificateOf(pem: string): X509Certificate {
  const known = readCertificates.get(pem);
  if (known !== undefined) return known;
  const certificate = new X509Certificate(pem);
  if (readCertificates.size >= MAX_READ) readCertificates.clear();
  readCertificates.set(pem, certificate);
  return certificate;
}

/** The certificates in a text, each as PEM by itself: a certificate that is stored with its chain. Nothing else of the text is kept. */
export function splitCertificates(pem: string): readonly string[] {
  return pem.match(PEM) ?? [];
}
