import { type KeyObject, sign, X509Certificate } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate, SubjectKeyIdentifier } from "@peculiar/asn1-x509";
import { REVOCATION_REASONS, type RevocationReason } from "./port.ts";

/** A revoked certificate, as its list names it. */
export interface RevokedSerial {
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly revokedAt: Date;
  readonly reason: RevocationReason;
}

/** A CA's certificate and its key, ECDSA on P-256. */
export interface ListIssuer {
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
}

const ECDSA_WITH_SHA256 = Buffer.from("300a06082a8648ce3d040302", "hex");
const SUBJECT_KEY_IDENTIFIER_OID = "2.5.29.14";
const CRL_NUMBER = Buffer.from("0603551d14", "hex");
const AUTHORITY_KEY_IDENTIFIER = Buffer.from("0603551d23", "hex");
/** The extensions of an entry, hex. "unspecified" is said by saying nothing (RFC 5280 5.3.1). */
const REASON_EXTENSIONS: Readonly<Record<RevocationReason, string>> = {
  unspecified: "",
  keyCompromise: reasonExtension(REVOCATION_REASONS.keyCompromise),
  superseded: reasonExtension(REVOCATION_REASONS.superseded),
  cessationOfOperation: reasonExtension(REVOCATION_REASONS.cessationOfOperation),
  privilegeWithdrawn: reasonExtension(REVOCATION_REASONS.privilegeWithdrawn),
};
const BEFORE_THIS_TIMES_ARE_SHORT = Date.UTC(2050, 0, 1);

function reasonExtension(code: number): string {
  return `300c300a0603551d1504030a01${code.toString(16).padStart(2, "0")}`;
}

/**
 * Writes and signs a CRL (RFC 5280 5). By hand, since the library at hand takes seconds for some thousand entries
 * (docs/adr/0006) and the form is plain.
 *
 * @returns DER
 */
export function writeRevocationList(
  list: {
    readonly revoked: readonly RevokedSerial[];
    readonly number: bigint;
    readonly thisUpdate: Date;
    readonly nextUpdate: Date;
  },
  issuer: ListIssuer,
): Uint8Array {
  const { tbsCertificate } = AsnConvert.parse(new X509Certificate(issuer.certificatePem).raw, Certificate);
  const entries = Buffer.from(list.revoked.map(entryHex).join(""), "hex");
  const content = element(
    0x30,
    Buffer.from([0x02, 0x01, 0x01]), // version 2
    ECDSA_WITH_SHA256,
    Buffer.from(AsnConvert.serialize(tbsCertificate.subject)),
    time(list.thisUpdate),
    time(list.nextUpdate),
    // No certificate revoked: the element is left out, and not empty.
    ...(entries.length === 0 ? [] : [element(0x30, entries)]),
    element(
      0xa0,
      element(0x30, ...keyIdentifier(tbsCertificate), element(0x30, CRL_NUMBER, octets(integer(list.number)))),
    ),
  );
  const signature = sign("sha256", content, issuer.privateKey);
  return element(0x30, content, ECDSA_WITH_SHA256, element(0x03, Buffer.from([0]), signature));
}

/** In hex, since a list has thousands of them: to join texts takes a tenth of the time that bytes take. */
function entryHex({ serial, revokedAt, reason }: RevokedSerial): string {
  const even = serial.length % 2 === 0 ? serial : `0${serial}`;
  // From 0x80 up, the number would be below zero (X.690 8.3.3).
  const number = /^[89a-f]/.test(even) ? `00${even}` : even;
  const content = `02${lengthHex(number)}${number}${time(revokedAt).toString("hex")}${REASON_EXTENSIONS[reason]}`;
  return `30${lengthHex(content)}${content}`;
}

/** The length of what takes less than 128 bytes, which an entry with its serial of at most 20 does. */
function lengthHex(hex: string): string {
  return (hex.length / 2).toString(16).padStart(2, "0");
}

/** Tells which of a CA's keys signed, where its certificate names the key. */
function keyIdentifier({ extensions }: Certificate["tbsCertificate"]): Buffer[] {
  const extension = extensions?.find(({ extnID }) => extnID === SUBJECT_KEY_IDENTIFIER_OID);
  if (extension === undefined) return [];
  const identifier = Buffer.from(AsnConvert.parse(extension.extnValue.buffer, SubjectKeyIdentifier).buffer);
  return [element(0x30, AUTHORITY_KEY_IDENTIFIER, octets(element(0x30, element(0x80, identifier))))];
}

/** One DER element (X.690 8.1). */
function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of content) length += part.length;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : length < 0x10000
          ? [tag, 0x82, length >> 8, length & 0xff]
          : [tag, 0x84, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff];
  // DER wants the shortest length.
  if (length >= 0x10000 && length < 0x1000000) head.splice(1, 2, 0x83);
  return Buffer.concat([Buffer.from(head), ...content], head.length + length);
}

const octets = (content: Uint8Array): Buffer => element(0x04, content);

function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return (bytes[0] ?? 0) < 0x80 ? element(0x02, bytes) : element(0x02, Buffer.from([0]), bytes);
}

/** To the second, and in two digits of the year until 2050 (RFC 5280 5.1.2.4). */
function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, "");
  return at.getTime() < BEFORE_THIS_TIMES_ARE_SHORT
    ? element(0x17, Buffer.from(text.slice(2), "latin1"))
    : element(0x18, Buffer.from(text, "latin1"));
}
