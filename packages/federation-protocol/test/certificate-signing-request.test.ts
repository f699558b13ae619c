import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { expect, describe, test } from "vitest";
import {
  createSigningRequest,
  GRANT_ID_OID,
  readSigningRequest,
  signingRequestFor,
  SUBJECT_USER_ID_OID,
} from "../src/index.ts";
import { der, looselyEncoded, oid, otherName, pem, sequence, set, utf8 } from "./der.ts";
import { newIdentity } from "./forge.ts";

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const spkiOf = (key: KeyObject) => createPublicKey(key).export({ type: "spki", format: "der" });
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const VERSION_1 = Buffer.from([0x02, 1, 0]);
const NO_SUBJECT = sequence();

/** What a request says. Whatever is left out is as it should be. */
interface Wishes {
  readonly key?: KeyObject;
  readonly signedBy?: KeyObject;
  /** What is signed in place of the request. */
  readonly signed?: Buffer;
  readonly signature?: Buffer;
  readonly spki?: Buffer;
  readonly version?: Buffer;
  readonly subject?: Buffer;
  /** The content of `[0]`; null: there is no `[0]`. */
  readonly attributes?: readonly Buffer[] | null;
  readonly algorithm?: Buffer;
  readonly hash?: string;
  readonly after?: Buffer;
}

/** PKCS #10 (RFC 2986) by hand. */
function request(wishes: Wishes = {}): Buffer {
  const key = wishes.key ?? newKey();
  const attributes = wishes.attributes === null ? [] : [der(0xa0, ...(wishes.attributes ?? []))];
  const spki = wishes.spki ?? spkiOf(key);
  const toSign = sequence(wishes.version ?? VERSION_1, wishes.subject ?? NO_SUBJECT, spki, ...attributes);
  const signature = wishes.signature ?? sign(wishes.hash ?? "sha256", wishes.signed ?? toSign, wishes.signedBy ?? key);
  const bits = der(0x03, Buffer.from([0]), signature);
  return Buffer.concat([
    sequence(toSign, wishes.algorithm ?? ECDSA_WITH_SHA256, bits),
    wishes.after ?? Buffer.alloc(0),
  ]);
}

const name = (type: string, text: string) => sequence(set(sequence(oid(type), utf8(text))));
const extension = (id: string, value: Buffer) => sequence(oid(id), der(0x04, value));
const extensionRequest = (...extensions: readonly Buffer[]) =>
  sequence(oid("1.2.840.113549.1.9.14"), set(sequence(...extensions)));

/** The same key with its point written otherwise (SEC 1 2.3.3); OpenSSL takes each for the same. */
function rewritten(key: KeyObject, form: "compressed" | "hybrid"): Buffer {
  const point = spkiOf(key).subarray(26);
  const odd = point[64]! & 1;
  const bytes =
    form === "compressed"
      ? Buffer.concat([Buffer.from([2 + odd]), point.subarray(1, 33)])
      : Buffer.concat([Buffer.from([6 + odd]), point.subarray(1)]);
  return sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), der(0x03, Buffer.from([0]), bytes));
}

describe("a request of our own", () => {
  test("is read: the key, its hash and the bytes", async () => {
    const own = await createSigningRequest();
    const bytes = Buffer.from(own.csrPem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
    const spki = createPublicKey(own.privateKeyPem).export({ type: "spki", format: "der" });
    const reading = {
      kind: "request",
      der: new Uint8Array(bytes),
      spkiSha256: own.spkiSha256,
      publicKeyDer: new Uint8Array(spki),
    };
    expect(await readSigningRequest(own.csrPem)).toEqual(reading);
    expect(await readSigningRequest(bytes)).toEqual(reading);
    expect(own.spkiSha256).toBe(sha256(spki));
  });

  test("is for a new key each time, on P-256", async () => {
    const [one, another] = await Promise.all([createSigningRequest(), createSigningRequest()]);
    expect(one.spkiSha256).not.toBe(another.spkiSha256);
    expect(createPublicKey(one.privateKeyPem).asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  });

  test("can be made again for the same key", async () => {
    const own = await createSigningRequest();
    const again = await signingRequestFor(own.privateKeyPem);
    expect(again.spkiSha256).toBe(own.spkiSha256);
    expect(await readSigningRequest(again.csrPem)).toMatchObject({ kind: "request", spkiSha256: own.spkiSha256 });
  });

  test("does not hold the private key", async () => {
    const { csrPem, privateKeyPem } = await createSigningRequest();
    const bytes = Buffer.from(csrPem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
    const { d: secret } = createPrivateKey(privateKeyPem).export({ format: "jwk" });
    expect(secret).toHaveLength(43);
    expect(bytes.includes(Buffer.from(secret!, "base64url"))).toBe(false);
  });
});

describe("a request by hand", () => {
  test("is read", async () => {
    const key = newKey();
    const bytes = request({ key });
    expect(await readSigningRequest(bytes)).toMatchObject({ kind: "request", spkiSha256: sha256(spkiOf(key)) });
    expect(await readSigningRequest(pem("CERTIFICATE REQUEST", bytes))).toMatchObject({ kind: "request" });
  });

  test("is read in the armour of old tools, with CRLF, and with blanks around it", async () => {
    const bytes = request();
    const expected = await readSigningRequest(bytes);
    expect(await readSigningRequest(pem("NEW CERTIFICATE REQUEST", bytes))).toEqual(expected);
    expect(await readSigningRequest(pem("CERTIFICATE REQUEST", bytes).replaceAll("\n", "\r\n"))).toEqual(expected);
    expect(await readSigningRequest(`\n ${pem("CERTIFICATE REQUEST", bytes)}\n`)).toEqual(expected);
  });

  test("is read from a view into a larger buffer", async () => {
    const bytes = request();
    const pool = Buffer.concat([Buffer.alloc(64, 0x30), bytes, Buffer.alloc(64, 0x30)]);
    const view = new Uint8Array(pool.buffer, pool.byteOffset + 64, bytes.length);
    expect(await readSigningRequest(view)).toEqual(await readSigningRequest(bytes));
  });

  test("gives bytes that change no more when the input does", async () => {
    const bytes = request();
    const reading = await readSigningRequest(bytes);
    const before = Buffer.from(bytes);
    bytes.fill(0);
    expect(reading).toMatchObject({ kind: "request", der: new Uint8Array(before) });
  });
});

const PKCS10 = "it is not PKCS #10";
const CURVE = "its key is not on P-256";
const SIGNATURE = "its signature is not made with its own key";
const SUBJECT = "it asks for a subject";
const EXTENSIONS = "it asks for extensions; the certificate authority alone decides what a certificate says";
const PLAIN = "it is not signed with SHA-256, or not written as DER";
const { grantId, subjectUserId } = newIdentity();
const spoofed = sequence(otherName(GRANT_ID_OID, utf8(grantId)), otherName(SUBJECT_USER_ID_OID, utf8(subjectUserId)));
const key = newKey();

const refused: readonly (readonly [what: string, input: string | Uint8Array, reason: string])[] = [
  [
    "a grant and a subject in otherNames",
    request({ attributes: [extensionRequest(extension("2.5.29.17", spoofed))] }),
    EXTENSIONS,
  ],
  [
    "a DNS name",
    request({ attributes: [extensionRequest(extension("2.5.29.17", sequence(der(0x82, Buffer.from("a.example")))))] }),
    EXTENSIONS,
  ],
  [
    "to be a CA",
    request({ attributes: [extensionRequest(extension("2.5.29.19", sequence(Buffer.from([1, 1, 255]))))] }),
    EXTENSIONS,
  ],
  ["an empty list of extensions", request({ attributes: [extensionRequest()] }), EXTENSIONS],
  [
    "an attribute that is no extension",
    request({ attributes: [sequence(oid("1.2.840.113549.1.9.7"), set(utf8("password")))] }),
    EXTENSIONS,
  ],
  [
    "extensions under Microsoft's OID",
    request({ attributes: [sequence(oid("1.3.6.1.4.1.311.2.1.14"), set(sequence(extension("2.5.29.17", spoofed))))] }),
    EXTENSIONS,
  ],
  ["a common name", request({ subject: name("2.5.4.3", "gateway.example") }), SUBJECT],
  ["an empty common name", request({ subject: name("2.5.4.3", "") }), SUBJECT],
  ["a subject of one empty RDN", request({ subject: sequence(set()) }), PLAIN],

  ["an RSA key", rsaRequest(), CURVE],
  ["a key on P-384", curveRequest("P-384", "sha384", "1.2.840.10045.4.3.3"), CURVE],
  ["a key on secp256k1", curveRequest("secp256k1", "sha256", "1.2.840.10045.4.3.2"), CURVE],
  ["an Ed25519 key", ed25519Request(), CURVE],
  ["a key with a compressed point", request({ key, spki: rewritten(key, "compressed") }), CURVE],
  ["a key with a hybrid point", request({ key, spki: rewritten(key, "hybrid") }), CURVE],
  [
    "a key whose point is not on the curve",
    request({ spki: Buffer.concat([spkiOf(key).subarray(0, 27), Buffer.alloc(64, 7)]) }),
    CURVE,
  ],
  [
    "the point at infinity",
    request({
      spki: sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), Buffer.from([3, 2, 0, 0])),
    }),
    CURVE,
  ],
  [
    "a key without a curve",
    request({ spki: sequence(sequence(oid("1.2.840.10045.2.1"), Buffer.from([5, 0])), spkiOf(key).subarray(23)) }),
    PKCS10,
  ],

  ["a signature by another key", request({ signedBy: newKey() }), SIGNATURE],
  ["a signature over other bytes", request({ signed: Buffer.from("other bytes") }), SIGNATURE],
  ["a signature that is none", request({ signature: utf8("signature") }), SIGNATURE],
  ["a signature that is not there", request({ signature: Buffer.alloc(0) }), SIGNATURE],
  ["a signature of zeros", request({ signature: sequence(Buffer.from([2, 1, 0, 2, 1, 0])) }), SIGNATURE],
  ["a signature with SHA-384", request({ hash: "sha384", algorithm: sequence(oid("1.2.840.10045.4.3.3")) }), PLAIN],
  ["a signature with SHA-1", request({ hash: "sha1", algorithm: sequence(oid("1.2.840.10045.4.1")) }), PLAIN],

  ["bytes after it", request({ after: Buffer.from("hello") }), PLAIN],
  ["a NUL after it", request({ after: Buffer.from([0]) }), PLAIN],
  ["a key with a loose length", request({ key, spki: looselyEncoded(0x30, spkiOf(key).subarray(2)) }), PLAIN],
  ["another version", request({ version: Buffer.from([2, 1, 1]) }), PLAIN],
  ["no place for attributes", request({ attributes: null }), PLAIN],
  ["a loose length", looselyEncoded(0x30, request().subarray(3)), PLAIN],
];

function rsaRequest(): Buffer {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return request({ key: privateKey, algorithm: sequence(oid("1.2.840.113549.1.1.11"), Buffer.from([5, 0])) });
}

function curveRequest(namedCurve: string, hash: string, algorithm: string): Buffer {
  return request({
    key: generateKeyPairSync("ec", { namedCurve }).privateKey,
    hash,
    algorithm: sequence(oid(algorithm)),
  });
}

function ed25519Request(): Buffer {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const toSign = sequence(VERSION_1, NO_SUBJECT, publicKey.export({ type: "spki", format: "der" }), der(0xa0));
  const bits = der(0x03, Buffer.from([0]), sign(null, toSign, privateKey));
  return sequence(toSign, sequence(oid("1.3.101.112")), bits);
}

describe("refused", () => {
  test.each(refused)("%s", async (_, input, reason) => {
    expect(await readSigningRequest(input)).toEqual({ kind: "malformed", reason });
    const armoured = pem("CERTIFICATE REQUEST", Buffer.from(input as Uint8Array));
    expect(await readSigningRequest(armoured)).toEqual({ kind: "malformed", reason });
  });

  test.each([
    ["no bytes", Buffer.alloc(0)],
    ["no text", ""],
    ["text", "please sign"],
    ["zeros", Buffer.alloc(200)],
    ["an empty SEQUENCE", sequence()],
    ["nested SEQUENCES", Buffer.from("3080".repeat(4000), "hex")],
    ["a request cut short", request().subarray(0, -1)],
    ["a certificate's armour", pem("CERTIFICATE", request())],
    ["armour of two kinds", pem("NEW CERTIFICATE REQUEST", request()).replace("END NEW", "END")],
    ["armour around nothing", pem("CERTIFICATE REQUEST", Buffer.alloc(0))],
    ["two requests", pem("CERTIFICATE REQUEST", request()).repeat(2)],
    ["text before the armour", `hello\n${pem("CERTIFICATE REQUEST", request())}`],
    ["text after the armour", `${pem("CERTIFICATE REQUEST", request())}hello`],
    ["base64 without armour", request().toString("base64")],
    ["hex", request().toString("hex")],
    ["armour as bytes", Buffer.from(pem("CERTIFICATE REQUEST", request()))],
  ])("%s", async (_, input) => {
    expect(await readSigningRequest(input)).toEqual({ kind: "malformed", reason: PKCS10 });
  });

  test("armour of two kinds, whichever is the old", async () => {
    const mixed = pem("CERTIFICATE REQUEST", request()).replace("END", "END NEW");
    expect(await readSigningRequest(mixed)).toEqual({ kind: "malformed", reason: PKCS10 });
  });

  test("more than 8 kB, before anything of it is read", async () => {
    const reason = "it is larger than 8 kB";
    const bytes = request({ after: Buffer.alloc(8192) });
    expect(await readSigningRequest(bytes)).toEqual({ kind: "malformed", reason });
    expect(await readSigningRequest(pem("CERTIFICATE REQUEST", bytes))).toEqual({ kind: "malformed", reason });
    expect(await readSigningRequest("x".repeat(8193))).toEqual({ kind: "malformed", reason });
    expect(await readSigningRequest("x".repeat(8192))).toEqual({ kind: "malformed", reason: PKCS10 });
  });
});

test("one key has one hash, whichever way its point is written, since the other ways are refused", async () => {
  const forms = [spkiOf(key), rewritten(key, "compressed"), rewritten(key, "hybrid")];
  // OpenSSL takes each for the same key: its signature verifies under all of them.
  const message = Buffer.from("message");
  const signature = sign("sha256", message, key);
  const keys = forms.map((spki) => createPublicKey({ key: spki, format: "der", type: "spki" }));
  expect(keys.map((each) => verify("sha256", message, each, signature))).toEqual([true, true, true]);
  const readings = await Promise.all(forms.map((spki) => readSigningRequest(request({ key, spki }))));
  expect(readings.map(({ kind }) => kind)).toEqual(["request", "malformed", "malformed"]);
});
