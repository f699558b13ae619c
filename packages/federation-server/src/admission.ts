import type { TLSSocket } from "node:tls";
import type { Clock } from "@mosaicstack/foundation";
import type { ReadStore } from "@mosaicstack/storage";
import type { LiveSockets } from "./live-sockets.ts";
import { type PeerCertificate, peerCertificateOf } from "./peer-identity.ts";

export type Admission =
  | {
      readonly kind: "admitted";
      readonly certificate: PeerCertificate;
      readonly grantId: string;
      readonly spki: string;
    }
  | { readonly kind: "refused"; readonly reason: "untrusted" | "expired" | "not_yet_valid" | "unknown" | "revoked" };

interface CertificateRow {
  readonly grantId: string;
  readonly spki: string;
  readonly revokedAt: Date | null;
}

const statement = `select grant_id as "grantId", spki, revoked_at as "revokedAt" from federation_certificates where serial = $1`;

/**
 * Decides whether a connection may speak at all, before a byte of it is read as HTTP: its chain ends in our CA, it is
 * valid now, and its serial is one we issued and did not revoke. Node's own refusal is not used: it names no reason.
 */
export async function admit(
  socket: TLSSocket,
  dependencies: { readonly store: ReadStore; readonly clock: Clock; readonly liveSockets: LiveSockets },
): Promise<Admission> {
  const certificate = peerCertificateOf(socket);
  if (certificate === undefined) return { kind: "refused", reason: "untrusted" };
  const now = dependencies.clock.now();
  if (certificate.notAfter <= now) return { kind: "refused", reason: "expired" };
  if (certificate.notBefore > now) return { kind: "refused", reason: "not_yet_valid" };
  if (!socket.authorized) return { kind: "refused", reason: "untrusted" };
  // Listed before the look-up, so that a revocation in between finds the socket.
  if (certificate.identity.kind === "identified") dependencies.liveSockets.add(certificate.identity.grantId, socket);
  const [row] = await dependencies.store.query<CertificateRow>(statement, [certificate.serial]);
  if (row === undefined) return { kind: "refused", reason: "unknown" };
  if (row.revokedAt !== null) return { kind: "refused", reason: "revoked" };
  return { kind: "admitted", certificate, grantId: row.grantId, spki: row.spki };
}
