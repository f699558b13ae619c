import { isIP } from "node:net";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import type { Clock } from "@mosaicstack/foundation";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";

const LIFETIME_MS = 90 * 86_400_000;

/** What a TLS listener presents. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  /** When it was made. */
  readonly issuedAt: Date;
  readonly notAfter: Date;
  /** When to make the next one: two thirds of its life. */
  readonly renewAt: Date;
}

/** What a server certificate is for: the names and addresses peers may dial, and this machine's own. Each once. */
export function namesOfServer(hostnames: readonly string[]): {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
} {
  const names = [...new Set([...hostnames, "localhost", "127.0.0.1", "::1"])];
  return { dnsNames: names.filter((name) => isIP(name) === 0), ipAddresses: names.filter((name) => isIP(name) !== 0) };
}

/** @param parts the certificate, what stands between it and the root, and its key, as PEM */
export function serverCertificateOf(parts: {
  readonly certificatePem: string;
  readonly chainPem: readonly string[];
  readonly rootPem: string;
  readonly key: string;
  readonly issuedAt: Date;
  readonly notAfter: Date;
}): ServerCertificate {
  const { certificatePem, chainPem, rootPem, key, issuedAt, notAfter } = parts;
  const lifeMs = Math.min(LIFETIME_MS, notAfter.getTime() - issuedAt.getTime());
  return {
    // The root too: a gateway that enrolls has only its fingerprint, and looks for it here.
    cert: [certificatePem, ...chainPem, rootPem].join("\n"),
    key,
    issuedAt,
    notAfter,
    renewAt: new Date(issuedAt.getTime() + (lifeMs * 2) / 3),
  };
}

/** Issues a server certificate for a new key. @throws Problem of the authority where that is another program */
export async function issueServerCertificate(
  authority: CertificateAuthority,
  clock: Clock,
  hostnames: readonly string[],
): Promise<ServerCertificate> {
  const { privateKeyPem, csrPem } = await createSigningRequest();
  const request = await readSigningRequest(csrPem);
  if (request.kind === "malformed") throw new Error(`our own signing request is malformed: ${request.reason}`);
  const issuedAt = clock.now();
  const notAfter = new Date(issuedAt.getTime() + LIFETIME_MS);
  const issued = await authority.issue({ kind: "server", csr: request.der, ...namesOfServer(hostnames), notAfter });
  const { rootPem } = authority;
  return serverCertificateOf({ ...issued, rootPem, key: privateKeyPem, issuedAt });
}

/** Whether to make the next one: it grows old, or the clock was set back and nobody would take it yet. */
export function isServerCertificateDue(
  { issuedAt, renewAt }: Pick<ServerCertificate, "issuedAt" | "renewAt">,
  now: Date,
): boolean {
  return now >= renewAt || now < issuedAt;
}
