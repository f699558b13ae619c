import "reflect-metadata";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  verify,
  webcrypto,
} from "node:crypto";
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

/** Every key of this protocol: ECDSA on P-256 with SHA-256. */
export const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
export const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;

const MAX_REQUEST_BYTES = 8192;
const PEM = /^\s*-----BEGIN (NEW |)CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END \1CERTIFICATE REQUEST-----\s*$/;
/** What stands before the 64 bytes of a P-256 key's point in its SubjectPublicKeyInfo (RFC 5480), uncompressed. */
const SPKI_HEADER = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const SPKI_BYTES = 91;

/** A request with the key it is for. */
export interface OwnSigningRequest {
  /** PKCS #8. To be sealed before it is stored. */
  readonly privateKeyPem: string;
  /** PKCS #10 (RFC 2986): empty subject, no extensions; the CA decides what the certificate says. */
  readonly csrPem: string;
  /** SHA-256 of the public key (SubjectPublicKeyInfo), hex. */
  readonly spkiSha256: string;
}

/** Makes a request for a new key. */
export async function createSigningRequest(): Promise<OwnSigningRequest> {
  return await signingRequestOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
}

/** Makes a request for a key there is already, so that a lost answer can be asked for again. @param privateKeyPem PKCS #8 */
export async function signingRequestFor(privateKeyPem: string): Promise<OwnSigningRequest> {
  return await signingRequestOf(createPrivateKey(privateKeyPem));
}

async function signingRequestOf(privateKey: KeyObject): Promise<OwnSigningRequest> {
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const keys = {
    publicKey: await webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]),
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]),
  };
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: SIGNING_ALGORITHM });
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    csrPem: request.toString("pem"),
    spkiSha256: createHash("sha256").update(spki).digest("hex"),
  };
}

export type SigningRequestReading =
  | {
      readonly kind: "request";
      readonly der: Uint8Array;
      readonly spkiSha256: string;
      readonly publicKeyDer: Uint8Array;
    }
  | { readonly kind: "malformed"; readonly reason: MalformedSigningRequest };

export type MalformedSigningRequest =
  | "it is larger than 8 kB"
  | "it is not PKCS #10"
  | "it is not signed with SHA-256, or not written as DER"
  | "its key is not on P-256"
  | "its signature is not made with its own key"
  | "it asks for a subject"
  | "it asks for extensions; the certificate authority alone decides what a certificate says";

/**
 * A P-256 key in the one form this protocol knows. The same key with its point compressed, or "hybrid",
 * is the same to OpenSSL but has another hash: it could take part as several keys.
 */
function plainP256(der: Buffer): KeyObject | undefined {
  if (der.length !== SPKI_BYTES || !der.subarray(0, SPKI_HEADER.length).equals(SPKI_HEADER)) return undefined;
  try {
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    return undefined; // the point is not on the curve
  }
}

/** What is signed of a request of this protocol, in DER: version 0, no subject, the key, no attributes. */
function plainContent(spki: Buffer): Buffer {
  return Buffer.concat([Buffer.from("30620201003000", "hex"), spki, Buffer.from("a000", "hex")]);
}

/** The one DER encoding of a whole request, signed by ECDSA with SHA-256. */
function plainRequest(content: Buffer, signature: Buffer): Buffer {
  const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");
  const parts = Buffer.concat([content, ecdsaWithSha256, Buffer.from([0x03, signature.length + 1, 0x00]), signature]);
  return Buffer.concat([Buffer.from(parts.length < 128 ? [0x30, parts.length] : [0x30, 0x81, parts.length]), parts]);
}

/**
 * Reads a request from outside: a P-256 key, proof that its sender has it, and no wishes. Never throws.
 *
 * @param input PEM with nothing around it, or DER
 */
export async function readSigningRequest(input: string | Uint8Array): Promise<SigningRequestReading> {
  const malformed = (reason: MalformedSigningRequest): SigningRequestReading => ({ kind: "malformed", reason });
  if (input.length > MAX_REQUEST_BYTES) return malformed("it is larger than 8 kB");
  const der = typeof input === "string" ? Buffer.from(PEM.exec(input)?.[2] ?? "", "base64") : Buffer.from(input);
  // Of bytes that begin otherwise the parser would make a guess: hex, base64, PEM.
  if (der[0] !== 0x30) return malformed("it is not PKCS #10");
  try {
    const request = new Pkcs10CertificateRequest(der);
    const spki = Buffer.from(request.publicKey.rawData);
    const publicKey = plainP256(spki);
    if (publicKey === undefined) return malformed("its key is not on P-256");
    if (request.subject !== "") return malformed("it asks for a subject");
    if (request.attributes.length > 0 || request.extensions.length > 0) {
      return malformed("it asks for extensions; the certificate authority alone decides what a certificate says");
    }
    const content = plainContent(spki);
    const signature = Buffer.from(request.signature);
    if (!plainRequest(content, signature).equals(der)) {
      return malformed("it is not signed with SHA-256, or not written as DER");
    }
    // By OpenSSL, which takes a signature in DER alone.
    if (!verify("sha256", content, publicKey, signature))
      return malformed("its signature is not made with its own key");
    const spkiSha256 = createHash("sha256").update(spki).digest("hex");
    return { kind: "request", der: new Uint8Array(der), spkiSha256, publicKeyDer: new Uint8Array(spki) };
  } catch {
    return malformed("it is not PKCS #10");
  }
}
