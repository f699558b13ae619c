import type { TLSSocket } from "node:tls";
import type { Clock } from "@mosaicstack/foundation";
import { RENEWAL_GRACE_MS } from "@mosaicstack/federation-protocol";
import type { ReadStore } from "@mosaicstack/storage";
import type { LiveSockets } from "./live-sockets.ts";
import { type PeerCertificate, peerCertificateOf } from "./peer-identity.ts";

export type Admission =
  | {
      readonly kind: "admitted";
      readonly certificate: PeerCertificate;
      /** It has never been used before: to be confirmed. */
      readonly isFirstUse: boolean;
    }
  | { readonly kind: "refused"; readonly reason: AdmissionRefusal; readonly detail: string };

export type AdmissionRefusal =
  | "untrusted"
  | "unknown"
  /** It has a serial of ours, and is not what we issued under it. */
  | "altered"
  /** Its grant has as many connections open as one may have. */
  | "too_many"
  | "revoked"
  | "expired"
  | "not_yet_valid";

interface CertificateRow {
  readonly pem: string;
  readonly notAfter: Date;
  readonly confirmedAt: Date | null;
  readonly supersededAt: Date | null;
  readonly revokedAt: Date | null;
}

const statement = `
  select pem, not_after as "notAfter", confirmed_at as "confirmedAt", superseded_at as "supersededAt",
    revoked_at as "revokedAt"
  from federation_certificates where serial = $1`;

/** Open at once of one grant: many times what the replicas of a gateway need, and few of those that a process can have. */
export const MOST_SOCKETS = 256;

/** What OpenSSL says of a chain that is good but for the time. It may hide another fault, so the record has to vouch for it. */
const TIME_FAULTS = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

/**
 * Decides whether a connection may speak at all, before a byte of it is read as HTTP: its chain ends in our root, it is byte for
 * byte a certificate that we issued and did not revoke, and it is valid now. Node's own refusal is not used: it names no reason.
 *
 * Two that are no longer good are let in, for each request is judged anew and only a renewal is answered to them: one that
 * expired within the grace, and one that is superseded, whose holder is to be told, or else found to be a clone.
 */
export async function admit(
  socket: TLSSocket,
  dependencies: { readonly store: ReadStore; readonly clock: Clock; readonly liveSockets: LiveSockets },
): Promise<Admission> {
  const refused = (reason: AdmissionRefusal, detail: string): Admission => ({ kind: "refused", reason, detail });
  const certificate = peerCertificateOf(socket);
  if (certificate === undefined) return refused("untrusted", "no client certificate was presented");
  const fault = socket.authorized ? undefined : String(socket.authorizationError);
  if (fault !== undefined && !TIME_FAULTS.has(fault)) return refused("untrusted", fault);
  // Listed before the look-up, so that a revocation in between finds the socket.
  if (certificate.identity.kind === "identified") dependencies.liveSockets.add(certificate.identity.grantId, socket);
  const [row] = await dependencies.store.query<CertificateRow>(statement, [certificate.serial]);
  if (row === undefined) {
    return fault === undefined ? refused("unknown", "no such serial is recorded") : refused("untrusted", fault);
  }
  if (!isSame(certificate, row)) return refused("altered", "it differs from the certificate recorded under its serial");
  if (row.revokedAt !== null) return refused("revoked", `since ${row.revokedAt.toISOString()}`);
  const now = dependencies.clock.now().getTime();
  if (certificate.notBefore.getTime() > now) return refused("not_yet_valid", certificate.notBefore.toISOString());
  const end = Math.min(certificate.notAfter.getTime(), row.notAfter.getTime());
  if (end + RENEWAL_GRACE_MS < now) return refused("expired", `since ${new Date(end).toISOString()}`);
  const { identity } = certificate;
  if (identity.kind === "identified" && dependencies.liveSockets.count(identity.grantId) > MOST_SOCKETS) {
    return refused("too_many", `${MOST_SOCKETS} connections of the grant are open`);
  }
  return { kind: "admitted", certificate, isFirstUse: row.confirmedAt === null && row.supersededAt === null };
}

/** An ECDSA signature can be changed into another that holds for the same content: such a copy is not what we issued. */
function isSame(certificate: PeerCertificate, { pem }: CertificateRow): boolean {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/.exec(pem)?.[1] ?? "";
  return certificate.raw.equals(Buffer.from(base64, "base64"));
}
