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
import { DER_TAGS, readSequence } from "./der.ts";

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
    // Once its header is known, OpenSSL needs no parser for what is left: half the time.
    const [x, y] = [der.subarray(SPKI_HEADER.length, -32), der.subarray(-32)].map((part) => part.toString("base64url"));
    return createPublicKey({ key: { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" }, format: "jwk" });
  } catch {
    return undefined; // the point is not on the curve
  }
}

/** What stands around the key in what is signed of a request: version 0 and no subject before it, no attributes after it. */
const CONTENT_START = Buffer.from("30620201003000", "hex");
const CONTENT_END = Buffer.from("a000", "hex");
const CONTENT_BYTES = CONTENT_START.length + SPKI_BYTES + CONTENT_END.length;
/** ECDSA with SHA-256. */
const ALGORITHM = Buffer.from("300a06082a8648ce3d040302", "hex");

interface RequestParts {
  /** What is signed. */
  readonly content: Buffer;
  readonly spki: Buffer;
  readonly signature: Buffer;
}

/**
 * The parts of a request that is written in the one way in which this protocol does, which all but what is refused are. By hand, since
 * the parser takes ten times as long. Undefined: it is written in another way. Says nothing of key and signature.
 */
function partsOf(der: Buffer): RequestParts | undefined {
  try {
    const request = readSequence(der);
    const { whole: content } = request.take(DER_TAGS.sequence);
    const { whole: algorithm } = request.take(DER_TAGS.sequence);
    const bits = request.take(DER_TAGS.bitString).content;
    request.end();
    const spki = content.subarray(CONTENT_START.length, CONTENT_START.length + SPKI_BYTES);
    const isPlain =
      content.length === CONTENT_BYTES &&
      content.subarray(0, CONTENT_START.length).equals(CONTENT_START) &&
      content.subarray(-CONTENT_END.length).equals(CONTENT_END) &&
      algorithm.equals(ALGORITHM) &&
      bits[0] === 0;
    return isPlain ? { content, spki, signature: bits.subarray(1) } : undefined;
  } catch {
    return undefined;
  }
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
  const parts = partsOf(der);
  if (parts === undefined) return malformed(faultOf(der));
  const { content, spki, signature } = parts;
  const publicKey = plainP256(spki);
  if (publicKey === undefined) return malformed("its key is not on P-256");
  // By OpenSSL, which takes a signature in DER alone.
  if (!isSignedBy(publicKey, content, signature)) return malformed("its signature is not made with its own key");
  const spkiSha256 = createHash("sha256").update(spki).digest("hex");
  return { kind: "request", der: new Uint8Array(der), spkiSha256, publicKeyDer: new Uint8Array(spki) };
}

function isSignedBy(publicKey: KeyObject, content: Buffer, signature: Buffer): boolean {
  try {
    return verify("sha256", content, publicKey, signature);
  } catch {
    return false;
  }
}

/** What a request asks for, or how it is written, that this protocol has no place for. */
function faultOf(der: Buffer): MalformedSigningRequest {
  try {
    const request = new Pkcs10CertificateRequest(der);
    if (plainP256(Buffer.from(request.publicKey.rawData)) === undefined) return "its key is not on P-256";
    if (request.subject !== "") return "it asks for a subject";
    if (request.attributes.length > 0 || request.extensions.length > 0) {
      return "it asks for extensions; the certificate authority alone decides what a certificate says";
    }
    return "it is not signed with SHA-256, or not written as DER";
  } catch {
    return "it is not PKCS #10";
  }
}
