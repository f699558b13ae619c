import { isIP } from "node:net";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import type { Clock } from "@mosaicstack/foundation";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";

const lifetimeDays = 90;

/** What a TLS listener presents. The key is made anew at each start and kept in memory only. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  /** When it was made. */
  readonly issuedAt: Date;
  /** When to make the next one: two thirds of its life. */
  readonly renewAt: Date;
}

/** Issues a server certificate for the names and addresses peers may dial, and this machine's own. */
export async function issueServerCertificate(
  authority: CertificateAuthority,
  clock: Clock,
  hostnames: readonly string[],
): Promise<ServerCertificate> {
  const { privateKeyPem, csrPem } = await createSigningRequest();
  const request = await readSigningRequest(csrPem);
  if (request.kind === "malformed") throw new Error(`our own signing request is malformed: ${request.reason}`);
  const names = [...new Set([...hostnames, "localhost", "127.0.0.1", "::1"])];
  const now = clock.now().getTime();
  const issued = await authority.issue({
    kind: "server",
    csr: request.der,
    dnsNames: names.filter((name) => isIP(name) === 0),
    ipAddresses: names.filter((name) => isIP(name) !== 0),
    notAfter: new Date(now + lifetimeDays * 86_400_000),
  });
  return {
    // The root too: a gateway that enrolls has only its fingerprint, and looks for it here.
    cert: [issued.certificatePem, ...issued.chainPem, authority.rootPem].join("\n"),
    key: privateKeyPem,
    issuedAt: new Date(now),
    renewAt: new Date(now + (Math.min(lifetimeDays * 86_400_000, issued.notAfter.getTime() - now) * 2) / 3),
  };
}

/** Whether to make the next one: it grows old, or the clock was set back and nobody would take it yet. */
export function isServerCertificateDue({ issuedAt, renewAt }: ServerCertificate, now: Date): boolean {
  return now >= renewAt || now < issuedAt;
}
