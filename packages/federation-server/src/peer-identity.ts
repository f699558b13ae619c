import type { TLSSocket } from "node:tls";
import {
  type CertificateIdentity,
  federationProblem,
  type IdentityReading,
  readCertificateIdentity,
  serialOf,
} from "@mosaicstack/federation-protocol";

/** Who is at the other end of a socket, by its verified client certificate and nothing else. */
export interface PeerCertificate {
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** DER. */
  readonly raw: Buffer;
  /** What the certificate says it may act as; malformed where it does not say it properly. */
  readonly identity: IdentityReading;
}

const read = new WeakMap<TLSSocket, PeerCertificate>();

/**
 * The certificate of a socket, parsed once a connection. No header can carry it: this is the only way to learn it.
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
    raw: x509.raw,
    identity: readCertificateIdentity(x509.raw),
  };
  read.set(socket, certificate);
  return certificate;
}

/** A certificate that says properly who it is for. */
export interface IdentifiedPeer extends PeerCertificate {
  readonly identity: CertificateIdentity & { readonly kind: "identified" };
}

/** Who asks. @throws Problem `identity_invalid`, which says what is wrong with the certificate's names */
export function requireIdentified(socket: TLSSocket): IdentifiedPeer {
  const certificate = peerCertificateOf(socket);
  if (certificate === undefined) throw federationProblem("identity_invalid");
  const { identity } = certificate;
  if (identity.kind === "malformed") {
    throw federationProblem("identity_invalid", { detail: `The client certificate: ${identity.reason}.` });
  }
  return { ...certificate, identity };
}
