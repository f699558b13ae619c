import { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import {
  type federationProblem,
  type IdentityReading,
  readCertificateIdentity,
  renewalWindow,
  serialOf,
  spkiOf,
} from "@mosaicstack/federation-protocol";
import type { ScriptedPeer } from "./scripted-peer.ts";

/** One certificate of a grant. */
export interface IssuedCertificate {
  readonly pem: string;
  readonly serial: string;
  readonly spki: string;
  readonly generation: number;
  readonly notBefore: Date;
  readonly notAfter: Date;
  supersededAt: number | undefined;
}

/** A grant, as the serving side has it. */
export interface ScriptedGrant {
  readonly id: string;
  readonly subjectUserId: string;
  status: "active" | "suspended" | "revoked" | "expired";
  /** The generation claimed last, and the key it was claimed for. */
  generation: number;
  spki: string | undefined;
  readonly certificates: IssuedCertificate[];
}

/** The peer's current grant, made where it is not there yet. */
export function registerGrant(peer: ScriptedPeer): ScriptedGrant {
  const { grantId: id, subjectUserId } = peer;
  const grant: ScriptedGrant = {
    id,
    subjectUserId,
    status: "active",
    generation: 0,
    spki: undefined,
    certificates: [],
  };
  peer.grants.set(id, grant);
  return grant;
}

/** How an honest peer refuses a grant in this state. */
export function refusalOf(grant: ScriptedGrant | undefined): keyof typeof federationProblem.table | undefined {
  if (grant === undefined || grant.status === "active") return undefined;
  return `grant_${grant.status}`;
}

/** Read once a socket: tests with a short deadline ask a lot. */
const identities = new WeakMap<object, IdentityReading>();

/** Who asks, and with which of the certificates issued here. */
export function presentedBy(peer: ScriptedPeer, request: IncomingMessage) {
  const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
  if (certificate === undefined) throw new Error("no client certificate arrived");
  const identity = identities.get(request.socket) ?? readCertificateIdentity(certificate.raw);
  if (identity.kind === "malformed") throw new Error(identity.reason);
  identities.set(request.socket, identity);
  const grant = peer.grants.get(identity.grantId);
  const serial = serialOf(certificate);
  return { certificate, identity, grant, serial, issued: grant?.certificates.find((one) => one.serial === serial) };
}

/** A certificate of the grant's current generation, by the peer's clock and as its `certificateWishes` have it. */
export async function issueFor(peer: ScriptedPeer, grant: ScriptedGrant, csr: string): Promise<IssuedCertificate> {
  const now = peer.now().getTime();
  const wishes = {
    grantId: grant.id,
    subjectUserId: grant.subjectUserId,
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + peer.lifetimeMs),
    ...peer.certificateWishes,
  };
  const pem = await peer.authority.client(csr, wishes);
  const certificate = new X509Certificate(pem);
  return {
    pem,
    serial: serialOf(certificate),
    spki: spkiOf(certificate),
    generation: grant.generation,
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    supersededAt: undefined,
  };
}

/** When a certificate may be renewed, as the wire has it. */
export function windowOf({ notBefore, notAfter }: IssuedCertificate) {
  const { from, until } = renewalWindow(notBefore, notAfter);
  return { from: from.toISOString(), until: until.toISOString() };
}
