import { verify, X509Certificate } from "node:crypto";
import { readCertificateFields } from "./certificate-fields.ts";
import { DER_TAGS, hexOfInteger, readDer, type DerExtension, readExtensions, readSequence, readTime } from "./der.ts";
import { readRevokedEntries } from "./revoked-entries.ts";

/**
 * Where a gateway publishes its CRL, below the address that people have of it. Peers read it on the gateway's word alone, so by that
 * word no other address of a machine can be named.
 */
export const REVOCATION_LIST_PATH = "/federation/crl";

/** Room for 80,000 revocations. */
export const MAX_REVOCATION_LIST_BYTES = 4 * 1024 * 1024;
/** RFC 5280 5.2.3. It's kept in decimal, and a number of megabytes takes many seconds to write so. */
const MAX_NUMBER_BYTES = 20;
const CLOCK_LEEWAY_MS = 5 * 60_000;

/** What a list is signed with, by the hex of its OID: the digest. ECDSA and RSA (PKCS #1) with SHA-2. */
const DIGESTS: Readonly<Record<string, { readonly digest: string; readonly keyType: string }>> = {
  "2a8648ce3d040302": { digest: "sha256", keyType: "ec" },
  "2a8648ce3d040303": { digest: "sha384", keyType: "ec" },
  "2a8648ce3d040304": { digest: "sha512", keyType: "ec" },
  "2a864886f70d01010b": { digest: "sha256", keyType: "rsa" },
  "2a864886f70d01010c": { digest: "sha384", keyType: "rsa" },
  "2a864886f70d01010d": { digest: "sha512", keyType: "rsa" },
};

const CRL_NUMBER = "551d14";
const ISSUING_DISTRIBUTION_POINT = "551d1c";
const EXTENSIONS_TAG = 0xa0;
/** Members of an issuing distribution point that do not narrow the list for the certificates of this protocol: its address, "only end entities". */
const HARMLESS_DISTRIBUTION_MEMBERS: ReadonlySet<number> = new Set([0xa0, 0x81]);

/** A list that its CA signed. */
export interface RevocationList {
  /** Grows with each list (RFC 5280 5.2.3): a smaller one than known is an older list. */
  readonly number: bigint;
  readonly thisUpdate: Date;
  /** When the next list comes at the latest. */
  readonly nextUpdate: Date;
  /** Of all certificates revoked: lower-case hex without leading zeros. Made when it is first asked for, which takes ten times as long as `has`. */
  readonly serials: ReadonlySet<string>;
  /** @param serial lower-case hex without leading zeros */
  has(serial: string): boolean;
}

/**
 * `stale`: signed and complete, but past its `nextUpdate`. What is on it is still revoked; what is not may be, too.
 */
export type RevocationListReading =
  | ({ readonly kind: "valid" | "stale" } & RevocationList)
  | { readonly kind: "invalid"; readonly reason: InvalidRevocationList };

export type InvalidRevocationList =
  | "it is larger than 4 MB"
  | "it is not a CRL"
  | "its issuer cannot sign CRLs"
  | "it is of another issuer"
  | "it is not signed by its issuer"
  | "it is signed in an unknown way"
  | "it has an extension that must be understood, and is not"
  | "it has no number"
  | "its number is longer than 20 bytes"
  | "it does not say when the next one comes"
  | "it is not valid yet";

/** Why a list is refused, on its way out of the reading. */
class Refusal extends Error {
  readonly reason: InvalidRevocationList;
  constructor(reason: InvalidRevocationList) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * Reads a whole CRL (RFC 5280 5), and believes none of it before its signature is verified by the issuer's key. Never throws.
 *
 * @param der the CRL
 * @param trusted.issuerPem the CA's certificate, whose own chain the caller has verified: the pinned root or an intermediate
 */
export function readCertificateRevocationList(
  der: Uint8Array,
  trusted: { readonly issuerPem: string; readonly now: Date },
): RevocationListReading {
  try {
    if (der.length > MAX_REVOCATION_LIST_BYTES) throw new Refusal("it is larger than 4 MB");
    const issuer = issuerOf(trusted.issuerPem);
    const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
    return read(contentOf(bytes, issuer), issuer.subject, trusted.now);
  } catch (error) {
    return { kind: "invalid", reason: error instanceof Refusal ? error.reason : "it is not a CRL" };
  }
}

interface Issuer {
  readonly certificate: X509Certificate;
  /** DER. */
  readonly subject: Buffer;
}

function issuerOf(pem: string): Issuer {
  try {
    const certificate = new X509Certificate(pem);
    const { subject, maySignRevocationLists } = readCertificateFields(certificate.raw);
    if (certificate.ca && maySignRevocationLists) return { certificate, subject };
  } catch {
    // No certificate signs no CRLs.
  }
  throw new Refusal("its issuer cannot sign CRLs");
}

/** What is signed, with the algorithm that is named inside and outside, once the signature is verified. */
function contentOf(bytes: Buffer, { certificate }: Issuer): { readonly signed: Buffer; readonly algorithm: Buffer } {
  const list = readSequence(bytes);
  const { content: signed, whole } = list.take(DER_TAGS.sequence);
  const { content, whole: algorithm } = list.take(DER_TAGS.sequence);
  const signature = list.take(DER_TAGS.bitString).content;
  list.end();
  const kind = DIGESTS[readDer(content).take(DER_TAGS.objectIdentifier).content.toString("hex")];
  const { publicKey } = certificate;
  if (kind === undefined) throw new Refusal("it is signed in an unknown way");
  if (kind.keyType !== publicKey.asymmetricKeyType || signature[0] !== 0)
    throw new Refusal("it is not signed by its issuer");
  let isSigned = false;
  try {
    isSigned = verify(kind.digest, whole, publicKey, signature.subarray(1));
  } catch {
    // OpenSSL may throw on a signature that has no form.
  }
  if (!isSigned) throw new Refusal("it is not signed by its issuer");
  return { signed, algorithm };
}

function read(
  { signed, algorithm }: { readonly signed: Buffer; readonly algorithm: Buffer },
  subject: Buffer,
  now: Date,
): RevocationListReading {
  const cursor = readDer(signed);
  // Version 2, as every list with extensions is.
  if (!cursor.take(DER_TAGS.integer).content.equals(Buffer.from([1]))) throw new Refusal("it is not a CRL");
  if (!cursor.take(DER_TAGS.sequence).whole.equals(algorithm)) throw new Refusal("it is not a CRL");
  if (!cursor.take(DER_TAGS.sequence).whole.equals(subject)) throw new Refusal("it is of another issuer");
  const thisUpdate = readTime(cursor.take());
  if (!cursor.sees(DER_TAGS.utcTime) && !cursor.sees(DER_TAGS.generalizedTime)) {
    throw new Refusal("it does not say when the next one comes");
  }
  const nextUpdate = readTime(cursor.take());
  const reading = readRevokedEntries(cursor.sees(DER_TAGS.sequence) ? cursor.take().content : Buffer.alloc(0));
  if (reading.kind === "not understood") {
    throw new Refusal("it has an extension that must be understood, and is not");
  }
  const { entries } = reading;
  const extensions = cursor.sees(EXTENSIONS_TAG) ? readExtensions(cursor.take().content) : new Map<string, never>();
  cursor.end();
  const number = readNumber(extensions);
  if (thisUpdate.getTime() > now.getTime() + CLOCK_LEEWAY_MS) throw new Refusal("it is not valid yet");
  return {
    kind: nextUpdate <= now ? "stale" : "valid",
    number,
    thisUpdate,
    nextUpdate,
    get serials() {
      return entries.serials();
    },
    has: (serial) => entries.has(serial),
  };
}

function readNumber(extensions: ReadonlyMap<string, DerExtension>): bigint {
  for (const [oid, { critical, value }] of extensions) {
    const isUnderstood = !critical || oid === CRL_NUMBER || (oid === ISSUING_DISTRIBUTION_POINT && isOfAll(value));
    if (!isUnderstood) throw new Refusal("it has an extension that must be understood, and is not");
  }
  const extension = extensions.get(CRL_NUMBER);
  if (extension === undefined) throw new Refusal("it has no number");
  const cursor = readDer(extension.value);
  const { content } = cursor.take(DER_TAGS.integer);
  cursor.end();
  if (content.length > MAX_NUMBER_BYTES) throw new Refusal("its number is longer than 20 bytes");
  return BigInt(`0x${hexOfInteger(content)}`);
}

/** Whether the list, by its issuing distribution point (RFC 5280 5.2.5), leaves out no client certificates, reasons or issuers. */
function isOfAll(value: Buffer): boolean {
  for (const cursor = readSequence(value); !cursor.done();) {
    if (!HARMLESS_DISTRIBUTION_MEMBERS.has(cursor.take().tag)) return false;
  }
  return true;
}
