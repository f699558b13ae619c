import { createHash, type X509Certificate } from "node:crypto";
import { certificateOf, CLOCK_LEEWAY_MS, followChain } from "./certificate-chain.ts";
import { readCertificateFields } from "./certificate-fields.ts";
import { type CertificateIdentity, readCertificateIdentity, serialOf, spkiOf } from "./certificate-identity.ts";
import { readSequence } from "./der.ts";

const CLIENT_AUTH_OID = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH_OID = "1.3.6.1.5.5.7.3.1";
const SUBJECT_ALT_NAME = "551d11";
const DNS_NAME_TAG = 0x82;
const IP_ADDRESS_TAG = 0x87;
/** Positive, and no longer than RFC 5280 4.1.2.2 allows: it is what a revocation names. */
const SERIAL = /^[1-9a-f][0-9a-f]{0,39}$/;

/** What a CA returned. */
export interface ReturnedCertificate {
  readonly certificatePem: string;
  /** What stands between the certificate and the root, nearest first; empty when the root signed it. */
  readonly chainPem: readonly string[];
}

export type IssuedCertificateReading =
  | { readonly kind: "good"; readonly serial: string; readonly notAfter: Date; readonly identity: CertificateIdentity }
  | { readonly kind: "bad"; readonly reason: string };

export type IssuedServerCertificateReading =
  | { readonly kind: "good"; readonly serial: string; readonly notAfter: Date }
  | { readonly kind: "bad"; readonly reason: string };

/** What any certificate was asked for. */
interface Expected {
  readonly rootPem: string;
  /** SHA-256 of the public key it was asked for, hex. */
  readonly spkiSha256: string;
  readonly now: Date;
  /** The latest end that is acceptable. Default: no bound but its issuers' own. */
  readonly notAfter?: Date;
}

/** What a client certificate was asked for. */
export interface ExpectedCertificate extends Expected {
  readonly identity: CertificateIdentity;
}

/** What a server certificate was asked for: these names and addresses, and no others. */
export interface ExpectedServerCertificate extends Expected {
  /** Host names in ASCII and lower case. */
  readonly dnsNames: readonly string[];
  /** IPv4 in dotted numbers, IPv6 in hex groups. */
  readonly ipAddresses: readonly string[];
}

/**
 * Checks a client certificate that a CA has just issued, before anybody uses it: a chain of valid CAs to the pinned root, our key, the
 * identity expected, client authentication and nothing else, valid now and not longer than asked. Both sides check: the serving side
 * what its CA returned, the querying side what its peer returned. Never throws.
 */
export function checkIssuedCertificate(
  returned: ReturnedCertificate,
  expected: ExpectedCertificate,
): IssuedCertificateReading {
  return check(returned, expected, CLIENT_AUTH_OID, (certificate) => {
    const identity = readCertificateIdentity(certificate.raw);
    if (identity.kind === "malformed") return bad(identity.reason);
    const { grantId, subjectUserId } = identity;
    if (grantId !== expected.identity.grantId) return bad("it names another grant");
    if (subjectUserId !== expected.identity.subjectUserId) return bad("it names another subject");
    return { kind: "good", said: { identity: { grantId, subjectUserId } } };
  });
}

/** The same of a certificate for one of our own listeners, which is for server authentication alone. Never throws. */
export function checkIssuedServerCertificate(
  returned: ReturnedCertificate,
  expected: ExpectedServerCertificate,
): IssuedServerCertificateReading {
  return check(returned, expected, SERVER_AUTH_OID, (certificate) => {
    const found = hostNamesOf(certificate);
    const wanted = [
      ...expected.dnsNames.map((name) => generalName(DNS_NAME_TAG, Buffer.from(name, "latin1"))),
      ...expected.ipAddresses.map((address) => generalName(IP_ADDRESS_TAG, addressBytes(address))),
    ];
    if (new Set(found).size !== found.length) return bad("it names a host twice");
    if (wanted.some((name) => !found.includes(name))) return bad("it lacks a host it was asked for");
    if (found.some((name) => !wanted.includes(name))) return bad("it names a host it was not asked for");
    return { kind: "good", said: {} };
  });
}

interface Bad {
  readonly kind: "bad";
  readonly reason: string;
}

function bad(reason: string): Bad {
  return { kind: "bad", reason };
}

/** @param names what the certificate says of whom it is for */
function check<Said extends object>(
  returned: ReturnedCertificate,
  expected: Expected,
  usage: typeof CLIENT_AUTH_OID | typeof SERVER_AUTH_OID,
  names: (certificate: X509Certificate) => { readonly kind: "good"; readonly said: Said } | Bad,
): ({ readonly kind: "good"; readonly serial: string; readonly notAfter: Date } & Said) | Bad {
  try {
    const certificate = certificateOf(returned.certificatePem);
    const { rootPem, now } = expected;
    const chain = followChain(certificate, { chainPem: returned.chainPem, rootPem, now });
    if (chain.kind === "broken") return bad(chain.reason);
    if (certificate.ca) return bad("it is a CA's certificate");
    if (!isForKey(certificate, expected.spkiSha256)) return bad("it is for another key");
    const usages = certificate.keyUsage as readonly string[] | undefined;
    if (usages?.length !== 1 || usages[0] !== usage) {
      return bad(`it is not for ${usage === CLIENT_AUTH_OID ? "client" : "server"} authentication alone`);
    }
    const named = names(certificate);
    if (named.kind === "bad") return named;
    const notBefore = new Date(certificate.validFrom);
    const notAfter = new Date(certificate.validTo);
    // A time that is none compares as neither before nor after anything.
    if ([notBefore, notAfter].some((time) => Number.isNaN(time.getTime()))) return bad("its validity cannot be read");
    if (notBefore.getTime() > now.getTime() + CLOCK_LEEWAY_MS) return bad("it is not valid yet");
    if (notAfter <= now) return bad("it has expired");
    if (notAfter > chain.notAfter) return bad("it outlives its issuers");
    if (expected.notAfter !== undefined && notAfter > expected.notAfter) return bad("it lives longer than asked");
    const serial = serialOf(certificate);
    if (!SERIAL.test(serial)) return bad("its serial number is not positive, or longer than 20 bytes");
    return { kind: "good", serial, notAfter, ...named.said };
  } catch {
    // Also where the certificate can be read, but not the key in it or in one of its chain.
    return bad("it, or one of its chain, is not a certificate");
  }
}

/** By the bytes as they stand, which are the key's only form in what an honest CA returns; else as OpenSSL reads them. @throws Error where it cannot */
function isForKey(certificate: X509Certificate, spkiSha256: string): boolean {
  const { publicKey } = readCertificateFields(certificate.raw);
  return createHash("sha256").update(publicKey).digest("hex") === spkiSha256 || spkiOf(certificate) === spkiSha256;
}

/** What its subjectAltName holds, each name as the hex of tag and content. @throws Error where it has none, or is not DER */
function hostNamesOf(certificate: X509Certificate): string[] {
  const extension = readCertificateFields(certificate.raw).extensions.get(SUBJECT_ALT_NAME);
  if (extension === undefined) return [];
  const found: string[] = [];
  for (const cursor = readSequence(extension.value); !cursor.done();) {
    const { tag, content } = cursor.take();
    found.push(generalName(tag, content));
  }
  return found;
}

function generalName(tag: number, content: Buffer): string {
  return Buffer.concat([Buffer.from([tag]), content]).toString("hex");
}

/** An address as a certificate holds it (RFC 5280 4.2.1.6): 4 or 16 bytes. */
function addressBytes(address: string): Buffer {
  if (!address.includes(":")) return Buffer.from(address.split(".").map(Number));
  const groupsOf = (text: string) => (text === "" ? [] : text.split(":"));
  const [before = "", after = ""] = address.split("::");
  const [front, back] = [groupsOf(before), groupsOf(after)];
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => "0");
  return Buffer.from([...front, ...zeros, ...back].map((group) => group.padStart(4, "0")).join(""), "hex");
}
