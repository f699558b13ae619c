import "reflect-metadata";
import { createHash, X509Certificate } from "node:crypto";
import { isId } from "@mosaicstack/foundation";
import { AsnConvert, AsnUtf8StringConverter } from "@peculiar/asn1-schema";
import { Certificate, GeneralName, id_ce_subjectAltName, OtherName, SubjectAlternativeName } from "@peculiar/asn1-x509";
import { readCertificateFields } from "./certificate-fields.ts";

/** The subjectAltName otherNames (RFC 5280 4.2.1.6) by which a client certificate points at a grant and its subject. */
export const GRANT_ID_OID = "1.3.6.1.4.1.99999.1";
export const SUBJECT_USER_ID_OID = "1.3.6.1.4.1.99999.2";

const SUBJECT_ALT_NAME = "551d11";
const UTF8_STRING_TAG = 0x0c;
/** A UUID is 36 bytes, so a well-formed value's length stands in one byte. */
const ID_BYTES = 36;
const MAX_VALUE_BYTES = 128;
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;
/** Several times what such a certificate, and its names, take. Strangers' are read too, and each name costs time. */
const MAX_CERTIFICATE_BYTES = 4096;
const MAX_NAMES_BYTES = 512;

export interface CertificateIdentity {
  readonly grantId: string;
  readonly subjectUserId: string;
}

export type IdentityReading =
  | ({ readonly kind: "identified" } & CertificateIdentity)
  | { readonly kind: "malformed"; readonly reason: MalformedIdentity };

export type MalformedIdentity =
  | "larger than 4 kB"
  | "not a certificate"
  | "no subjectAltName"
  | "more than one subjectAltName"
  | "subjectAltName is larger than 512 bytes"
  | "subjectAltName is not canonical DER"
  | "subjectAltName holds a name of another kind"
  | `${"grantId" | "subjectUserId"} ${UnusableValue}`;

type UnusableValue =
  | "is missing"
  | "is repeated"
  | "is not a UTF8String"
  | "is longer than 128 bytes"
  | "holds a control character"
  | "is not an id";

/** The DER value of a client certificate's subjectAltName extension. What is no id is written, and not read again. */
export function identitySubjectAltName({ grantId, subjectUserId }: CertificateIdentity): ArrayBuffer {
  const otherName = (typeId: string, text: string) =>
    new GeneralName({ otherName: new OtherName({ typeId, value: AsnUtf8StringConverter.toASN(text).toBER(false) }) });
  const names = [otherName(GRANT_ID_OID, grantId), otherName(SUBJECT_USER_ID_OID, subjectUserId)];
  return AsnConvert.serialize(new SubjectAlternativeName(names));
}

function idIn(names: readonly OtherName[], oid: string): { readonly id: string } | UnusableValue {
  const [name, ...others] = names.filter(({ typeId }) => typeId === oid);
  if (name === undefined) return "is missing";
  if (others.length > 0) return "is repeated";
  const value = Buffer.from(name.value);
  if (value[0] !== UTF8_STRING_TAG) return "is not a UTF8String";
  if (value.length > MAX_VALUE_BYTES + 3) return "is longer than 128 bytes";
  const text = value.subarray(2).toString("latin1");
  if (CONTROL_CHARACTER.test(text)) return "holds a control character";
  if (value[1] !== ID_BYTES || value.length !== ID_BYTES + 2) return "is not an id";
  return isId(text) ? { id: text } : "is not an id";
}

/** The two names of a well-formed subjectAltName, up to the id in each; 2 bytes stand before them, and ids are as long as each other. */
const NAMES_START = Buffer.from("306a", "hex");
const GRANT_START = Buffer.from("a03306092b06010401868d1f01a0260c24", "hex");
const SUBJECT_START = Buffer.from("a03306092b06010401868d1f02a0260c24", "hex");
const NAME_BYTES = GRANT_START.length + ID_BYTES;

/**
 * Reads a subjectAltName that is as {@link identitySubjectAltName} writes it, in either order: every good one is. By hand, since the
 * parser takes ten times as long. Undefined: it is not, and what is wrong with it is for the parser to say.
 */
function plainIdentity(names: Buffer): CertificateIdentity | undefined {
  if (names.length !== NAMES_START.length + 2 * NAME_BYTES) return undefined;
  if (!names.subarray(0, NAMES_START.length).equals(NAMES_START)) return undefined;
  const first = names.subarray(NAMES_START.length, NAMES_START.length + NAME_BYTES);
  const second = names.subarray(NAMES_START.length + NAME_BYTES);
  const idAfter = (start: Buffer): string | undefined => {
    const name = [first, second].find((one) => one.subarray(0, start.length).equals(start));
    const id = name?.subarray(start.length).toString("latin1");
    return id !== undefined && isId(id) ? id : undefined;
  };
  const [grantId, subjectUserId] = [idAfter(GRANT_START), idAfter(SUBJECT_START)];
  return grantId === undefined || subjectUserId === undefined ? undefined : { grantId, subjectUserId };
}

/** The subjectAltName of a certificate. Undefined: it has none, or the certificate is not plain DER. */
function subjectAltNameOf(der: Uint8Array): Buffer | undefined {
  try {
    const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
    return readCertificateFields(bytes).extensions.get(SUBJECT_ALT_NAME)?.value;
  } catch {
    return undefined;
  }
}

/** Whether bytes are one DER SEQUENCE of 256 bytes or more and nothing after it, which the parser would forgive. */
function isOneSequence(der: Uint8Array): boolean {
  return der[0] === 0x30 && der[1] === 0x82 && (der[2] ?? 0) * 256 + (der[3] ?? 0) === der.length - 4;
}

/**
 * Reads who a client certificate says it is: exactly one of each otherName, a UTF8String holding an id of this system,
 * and nothing else in the subjectAltName. Says nothing of whether the certificate is to be trusted. Never throws.
 *
 * @param der the certificate
 */
export function readCertificateIdentity(der: Uint8Array): IdentityReading {
  const malformed = (reason: MalformedIdentity): IdentityReading => ({ kind: "malformed", reason });
  if (der.length > MAX_CERTIFICATE_BYTES) return malformed("larger than 4 kB");
  if (!isOneSequence(der)) return malformed("not a certificate");
  const plain = subjectAltNameOf(der);
  const identity = plain === undefined ? undefined : plainIdentity(plain);
  if (identity !== undefined) return { kind: "identified", ...identity };
  let certificate: Certificate;
  try {
    certificate = AsnConvert.parse(der, Certificate);
  } catch {
    return malformed("not a certificate");
  }
  const extensions = certificate.tbsCertificate.extensions ?? [];
  const [extension, another] = extensions.filter(({ extnID }) => extnID === id_ce_subjectAltName);
  if (extension === undefined) return malformed("no subjectAltName");
  if (another !== undefined) return malformed("more than one subjectAltName");

  const encoded = Buffer.from(extension.extnValue.buffer);
  if (encoded.length > MAX_NAMES_BYTES) return malformed("subjectAltName is larger than 512 bytes");
  let names: SubjectAlternativeName;
  try {
    names = AsnConvert.parse(encoded, SubjectAlternativeName);
    // The parser forgives trailing bytes and loose lengths; a second reading of the same bytes must not be possible.
    if (!Buffer.from(AsnConvert.serialize(names)).equals(encoded))
      return malformed("subjectAltName is not canonical DER");
  } catch {
    return malformed("subjectAltName is not canonical DER");
  }

  const otherNames = names.flatMap(({ otherName }) => (otherName === undefined ? [] : [otherName]));
  const known = otherNames.filter(({ typeId }) => typeId === GRANT_ID_OID || typeId === SUBJECT_USER_ID_OID);
  const grantId = idIn(known, GRANT_ID_OID);
  const subjectUserId = idIn(known, SUBJECT_USER_ID_OID);
  // How many there are says more than what they hold, and that more than what else there is.
  if (grantId === "is missing" || grantId === "is repeated") return malformed(`grantId ${grantId}`);
  if (subjectUserId === "is missing" || subjectUserId === "is repeated")
    return malformed(`subjectUserId ${subjectUserId}`);
  if (known.length !== names.length) return malformed("subjectAltName holds a name of another kind");
  if (typeof grantId === "string") return malformed(`grantId ${grantId}`);
  if (typeof subjectUserId === "string") return malformed(`subjectUserId ${subjectUserId}`);
  return { kind: "identified", grantId: grantId.id, subjectUserId: subjectUserId.id };
}

/** A serial number as this system writes it: lower-case hex without leading zeros. */
export function serialOf(certificate: X509Certificate): string {
  return certificate.serialNumber.toLowerCase().replace(/^0+(?=.)/, "");
}

/** What a root is pinned by: SHA-256 of its DER, lower-case hex. @param pem a certificate */
export function fingerprintOf(pem: string): string {
  return createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
}

/** SHA-256 of a certificate's public key (SubjectPublicKeyInfo), lower-case hex. */
export function spkiOf(certificate: X509Certificate): string {
  return createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}
