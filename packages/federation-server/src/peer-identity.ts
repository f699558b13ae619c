import type { TLSSocket } from "node:tls";
import { readCertificateIdentity, serialOf } from "@mosaicstack/federation-protocol";

/** Who is at the other end of a socket, by its verified client certificate and nothing else. */
export interface PeerCertificate {
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** What the certificate says it may act as; malformed where it does not say it properly. */
  readonly identity: ReturnType<typeof readCertificateIdentity>;
}

const read = new WeakMap<TLSSocket, PeerCertificate>();

/**
 * The certificate of an authorized socket, parsed once a connection. No header can carry it: this is the only way to learn it.
 * Undefined: the handshake brought no certificate.
 */
export function peerCertificateOf(socket: TLSSocket): PeerCertificate | undefined {
  const known = read.get(socket);
  if (known !== undefined) return known;
  const x509 = socket.getPeerX509Certificate();
  if (x509 === undefined) return undefined;
  const certificate: PeerCertificate = {
    serial: serialOf(x509),
    notBefore: new Date(x509.validFrom),
    notAfter: new Date(x509.validTo),
    identity: readCertificateIdentity(x509.raw),
  };
  read.set(socket, certificate);
  return certificate;
}
