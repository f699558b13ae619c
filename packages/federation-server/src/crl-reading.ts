import { X509Certificate } from "node:crypto";
import type { CertificateAuthority, PublishedRevocationList } from "@mosaicstack/certificate-authority";
import { type Clock, Problem } from "@mosaicstack/foundation";
import { followChain, readCertificateRevocationList, type RevocationList } from "@mosaicstack/federation-protocol";
import type { SignedList } from "./crl-copy.ts";

/** A list whose signer's chain ends in the pinned root. */
export interface TrustedList extends SignedList {
  readonly list: RevocationList;
}

export type TrustedListReading =
  | ({ readonly kind: "trusted" } & TrustedList)
  | {
      readonly kind: "unusable";
      /** The authority's own code where it failed, else `crl_invalid`. */
      readonly code: string;
      /** A few words for an administrator. */
      readonly reason: string;
    };

/** Asks the authority for its list, and believes it no more than anybody's: signer, signature and form are checked. Never throws. */
export async function askForList(
  authority: Pick<CertificateAuthority, "crl" | "rootPem">,
  clock: Clock,
): Promise<TrustedListReading> {
  let published: PublishedRevocationList;
  try {
    published = await authority.crl();
  } catch (error) {
    const code = error instanceof Problem ? error.code : "crl_failed";
    return unusable(code, error instanceof Error ? error.message : "the certificate authority failed");
  }
  return readTrustedList(published, { rootPem: authority.rootPem, now: clock.now() });
}

/** Reads a list from anywhere. One past its `nextUpdate` is read, too: what is on it stays revoked. Never throws. */
export function readTrustedList(
  { der, issuerPem }: SignedList,
  { rootPem, now }: { readonly rootPem: string; readonly now: Date },
): TrustedListReading {
  try {
    const chain = followChain(new X509Certificate(issuerPem), { chainPem: [], rootPem, now });
    if (chain.kind === "broken") return unusable("crl_invalid", `the CRL's signer: ${chain.reason}`);
  } catch {
    return unusable("crl_invalid", "the CRL's signer is not a certificate");
  }
  const reading = readCertificateRevocationList(der, { issuerPem, now });
  if (reading.kind === "invalid") return unusable("crl_invalid", `the CRL: ${reading.reason}`);
  return { kind: "trusted", der, issuerPem, list: reading };
}

function unusable(code: string, reason: string): TrustedListReading {
  return { kind: "unusable", code, reason };
}
