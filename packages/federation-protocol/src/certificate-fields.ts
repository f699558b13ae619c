import { DER_TAGS, type DerExtension, readDer, readExtensions, readSequence } from "./der.ts";

const BASIC_CONSTRAINTS = "551d13";
const KEY_USAGE = "551d0f";
const EXTENSIONS_TAG = 0xa3;
const VERSION_TAG = 0xa0;

/** What Node's X509Certificate does not tell of a certificate. */
export interface CertificateFields {
  /** The subject's Name, DER. */
  readonly subject: Buffer;
  /** The SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  readonly extensions: ReadonlyMap<string, DerExtension>;
  /** How many CAs may stand between it and a leaf (RFC 5280 4.2.1.9). */
  readonly pathLength: number;
  /** Whether its key may sign CRLs, by its key usage (RFC 5280 4.2.1.3), where it has one. */
  readonly maySignRevocationLists: boolean;
}

/** @param der a certificate @throws Error where it cannot be read */
export function readCertificateFields(der: Buffer): CertificateFields {
  const certificate = readSequence(der).take(DER_TAGS.sequence);
  const content = readDer(certificate.content);
  if (content.sees(VERSION_TAG)) content.take();
  content.take(DER_TAGS.integer); // serial number
  content.take(DER_TAGS.sequence); // signature algorithm
  content.take(DER_TAGS.sequence); // issuer
  content.take(DER_TAGS.sequence); // validity
  const subject = content.take(DER_TAGS.sequence).whole;
  const publicKey = content.take(DER_TAGS.sequence).whole;
  const extensions = content.sees(EXTENSIONS_TAG) ? readExtensions(content.take().content) : new Map<string, never>();
  content.end();
  const maySignRevocationLists = signsLists(extensions);
  return { subject, publicKey, extensions, pathLength: pathLengthOf(extensions), maySignRevocationLists };
}

function pathLengthOf(extensions: ReadonlyMap<string, DerExtension>): number {
  const constraints = extensions.get(BASIC_CONSTRAINTS);
  if (constraints === undefined) return Number.POSITIVE_INFINITY;
  const cursor = readSequence(constraints.value);
  if (cursor.sees(DER_TAGS.boolean)) cursor.take();
  if (cursor.done()) return Number.POSITIVE_INFINITY;
  const { content } = cursor.take(DER_TAGS.integer);
  cursor.end();
  // More than one byte is more than any chain has.
  return content.length === 1 ? (content[0] ?? 0) : Number.POSITIVE_INFINITY;
}

function signsLists(extensions: ReadonlyMap<string, DerExtension>): boolean {
  const usage = extensions.get(KEY_USAGE);
  if (usage === undefined) return true;
  const cursor = readDer(usage.value);
  const { content } = cursor.take(DER_TAGS.bitString);
  cursor.end();
  // cRLSign is the seventh bit.
  return ((content[1] ?? 0) & 0x02) !== 0;
}
