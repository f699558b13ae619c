import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { newId } from "@mosaicstack/foundation";
import { beforeAll, describe, expect, test } from "vitest";
import { checkIssuedCertificate, fingerprintOf, readCertificateIdentity, serialOf, spkiOf } from "../src/index.ts";
import { dnsName, ecdsaNumbers, integer, pem, sequence } from "./der.ts";
import {
  assemble,
  certificatePem,
  CLIENT_AUTH,
  DAY_MS,
  type Forge,
  type Forgery,
  goodNames,
  openForge,
  SERVER_AUTH,
} from "./forge.ts";

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

let forge: Forge;
const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

type Expected = Parameters<typeof checkIssuedCertificate>[1];
const alone = (certificate: string) => ({ certificatePem: certificate, chainPem: [] });

function expected(differences: Partial<Expected> = {}): Expected {
  const { rootPem, identity, now } = forge;
  return {
    rootPem,
    spkiSha256: spkiSha256(),
    identity,
    now,
    notAfter: new Date(now.getTime() + 7 * DAY_MS),
    ...differences,
  };
}

let ownSpki = "";
const spkiSha256 = () => ownSpki;

async function check(forgery: Forgery, differences: Partial<Expected> = {}) {
  const certificate = await forge.issue({ key: publicKey, ...forgery });
  return checkIssuedCertificate(alone(certificatePem(certificate)), expected(differences));
}

beforeAll(async () => {
  forge = await openForge();
  ownSpki = spkiOf(new X509Certificate(await forge.issue({ key: publicKey })));
});

const bad = (reason: string) => ({ kind: "bad", reason });
const after = (ms: number) => new Date(forge.now.getTime() + ms);

describe("a certificate as it was asked for", () => {
  test("is good, and its serial, end and identity are read", async () => {
    const reading = await check({});
    expect(reading).toEqual({ kind: "good", serial: "4a5b6c", notAfter: after(7 * DAY_MS), identity: forge.identity });
  });

  test("is good a minute before it begins, for a clock that is slow", async () => {
    expect(await check({ notBefore: after(60_000) })).toMatchObject({ kind: "good" });
  });

  test("is good in its last second", async () => {
    expect(await check({ notAfter: after(1000) })).toMatchObject({ kind: "good" });
  });

  test("may be asked for without an end of one's own", async () => {
    const { notAfter: _, ...withoutEnd } = expected();
    const certificate = await forge.issue({ key: publicKey, notAfter: after(300 * DAY_MS) });
    expect(checkIssuedCertificate(alone(certificatePem(certificate)), withoutEnd)).toMatchObject({ kind: "good" });
  });

  test("with a serial of twenty bytes is good", async () => {
    const bytes = Buffer.concat([Buffer.from([0x7f]), Buffer.alloc(19, 0xab)]);
    expect(await check({ edit: serial(bytes) })).toMatchObject({ kind: "good", serial: bytes.toString("hex") });
  });
});

function serial(bytes: Uint8Array): NonNullable<Forgery["edit"]> {
  return (tbs) => {
    tbs.serialNumber = new Uint8Array(bytes).buffer;
  };
}

/** Replaces the `notBefore` or `notAfter` of what is signed, both of which are UTCTimes of 13 bytes. */
function time(which: "notBefore" | "notAfter", text: string): NonNullable<Forgery["patch"]> {
  return (tbs) => {
    const first = tbs.indexOf(Buffer.from([0x30, 0x1e, 0x17, 0x0d]));
    Buffer.from(text).copy(tbs, which === "notBefore" ? first + 4 : first + 19);
    return tbs;
  };
}

describe("refused", () => {
  test("a certificate of another CA", async () => {
    const other = await openForge();
    const certificate = await other.issue({ key: publicKey, names: [goodNames(forge.identity)] });
    const reading = checkIssuedCertificate(alone(certificatePem(certificate)), expected());
    expect(reading).toEqual(bad("it is not signed by the pinned root"));
  });

  test("a certificate of which a bit is changed", async () => {
    const patched = Buffer.from(await forge.issue({ key: publicKey }));
    patched[patched.indexOf(Buffer.from(forge.identity.grantId)) + 35]! ^= 1;
    const reading = checkIssuedCertificate(alone(certificatePem(patched)), expected());
    expect(reading).toEqual(bad("it is not signed by the pinned root"));
  });

  test.each([
    ["is no CA's certificate, though its key signed", { rootIsCa: false }],
    ["has another name than the issuer's, though its key signed", { rootName: "CN=Another" }],
  ])("a root that %s", async (_, wishes) => {
    const other = await openForge(wishes);
    const certificate = await other.issue({ key: publicKey, names: [goodNames(forge.identity)] });
    expect(new X509Certificate(certificate).verify(other.root.publicKey)).toBe(true);
    const reading = checkIssuedCertificate(alone(certificatePem(certificate)), expected({ rootPem: other.rootPem }));
    expect(reading).toEqual(bad("it is not signed by the pinned root"));
  });

  test("the certificate itself as its root", async () => {
    const leaf = certificatePem(await forge.issue({ key: publicKey }));
    expect(checkIssuedCertificate(alone(leaf), expected({ rootPem: leaf }))).toEqual(
      bad("it is not signed by the pinned root"),
    );
  });

  test("the root itself", () => {
    expect(checkIssuedCertificate(alone(forge.rootPem), expected())).toEqual(bad("it is a CA's certificate"));
  });

  test("a certificate that is a CA's", async () => {
    expect(await check({ ca: true })).toEqual(bad("it is a CA's certificate"));
  });

  test("a certificate for another key", async () => {
    const { publicKey: another } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(await check({ key: another })).toEqual(bad("it is for another key"));
  });

  test("a certificate for our key with its point compressed", async () => {
    const reading = await check({
      edit(tbs) {
        const point = Buffer.from(tbs.subjectPublicKeyInfo.subjectPublicKey);
        const compressed = Buffer.concat([Buffer.from([2 + (point[64]! & 1)]), point.subarray(1, 33)]);
        tbs.subjectPublicKeyInfo.subjectPublicKey = new Uint8Array(compressed).buffer;
      },
    });
    expect(reading).toEqual(bad("it is for another key"));
  });

  test.each([
    ["for servers", [SERVER_AUTH]],
    ["for clients and servers", [CLIENT_AUTH, SERVER_AUTH]],
    ["for any purpose", ["2.5.29.37.0"]],
    ["for clients, said twice", [CLIENT_AUTH, CLIENT_AUTH]],
    ["for no purpose it names", []],
  ])("a certificate %s", async (_, usages) => {
    expect(await check({ usages })).toEqual(bad("it is not for client authentication alone"));
  });

  test("a certificate of another grant", async () => {
    const names = [goodNames({ ...forge.identity, grantId: newId() })];
    expect(await check({ names })).toEqual(bad("it names another grant"));
  });

  test("a certificate of another subject", async () => {
    const names = [goodNames({ ...forge.identity, subjectUserId: newId() })];
    expect(await check({ names })).toEqual(bad("it names another subject"));
  });

  test("a certificate that names a grant and a subject the other way around", async () => {
    const { grantId, subjectUserId } = forge.identity;
    const names = [goodNames({ grantId: subjectUserId, subjectUserId: grantId })];
    expect(await check({ names })).toEqual(bad("it names another grant"));
  });

  test("a certificate that names nobody, with the reason of the reading", async () => {
    expect(await check({ names: [sequence(dnsName("gateway.example"))] })).toEqual(bad("grantId is missing"));
  });

  test("a certificate that has expired", async () => {
    expect(await check({ notBefore: after(-DAY_MS), notAfter: after(-1000) })).toEqual(bad("it has expired"));
  });

  test("a certificate that expires this very moment", async () => {
    expect(await check({ notAfter: after(0) })).toEqual(bad("it has expired"));
  });

  test("a certificate that is not valid yet", async () => {
    expect(await check({ notBefore: after(61_000) })).toEqual(bad("it is not valid yet"));
  });

  test("a certificate that lives a second longer than asked", async () => {
    expect(await check({ notAfter: after(7 * DAY_MS + 1000) })).toEqual(bad("it lives longer than asked"));
  });

  test("a certificate that outlives its root", async () => {
    const reading = await check({ notAfter: after(366 * DAY_MS) }, { notAfter: after(1000 * DAY_MS) });
    expect(reading).toEqual(bad("it outlives its issuers"));
  });

  test.each([
    ["an end in a thirteenth month", time("notAfter", "261308000000Z")],
    ["an end of letters", time("notAfter", "zzzzzzzzzzzzZ")],
    ["an end in no time zone", time("notAfter", "991231235959X")],
    ["a beginning of letters", time("notBefore", "zzzzzzzzzzzzZ")],
  ])("a certificate with %s", async (_, patch) => {
    expect(await check({ patch })).toEqual(bad("its validity cannot be read"));
  });

  test.each([
    ["zero", Buffer.from([0])],
    ["below zero", Buffer.from([0xd6])],
    ["of a thousand bytes", Buffer.alloc(1000, 0x7f)],
  ])("a certificate with a serial number %s", async (_, bytes) => {
    const reading = await check({ edit: serial(bytes) });
    expect(reading).toEqual(bad("its serial number is not positive, or longer than 20 bytes"));
  });

  test.each([
    [
      "a point that is not on the curve",
      (tbs) => (tbs.subjectPublicKeyInfo.subjectPublicKey = new Uint8Array(65).buffer),
    ],
    ["an unknown algorithm", (tbs) => (tbs.subjectPublicKeyInfo.algorithm.algorithm = "1.2.3.4")],
  ] satisfies [string, (tbs: Parameters<NonNullable<Forgery["edit"]>>[0]) => unknown][])(
    "a certificate whose key is %s",
    async (_, edit) => {
      const reading = await check({ edit: (tbs) => void edit(tbs) });
      expect(reading).toEqual(bad("it, or one of its chain, is not a certificate"));
    },
  );

  test.each([
    ["nothing", ""],
    ["text", "certificate"],
    ["armour around nothing", pem("CERTIFICATE", Buffer.alloc(0))],
    ["armour around zeros", pem("CERTIFICATE", Buffer.alloc(500))],
  ])("%s instead of a certificate", (_, text) => {
    expect(checkIssuedCertificate(alone(text), expected())).toEqual(
      bad("it, or one of its chain, is not a certificate"),
    );
    expect(checkIssuedCertificate(alone(forge.rootPem), expected({ rootPem: text }))).toEqual(
      bad("it, or one of its chain, is not a certificate"),
    );
  });
});

describe("a malleated copy: s of its signature replaced by n - s", () => {
  let genuine: X509Certificate;
  let copy: X509Certificate;
  beforeAll(async () => {
    genuine = new X509Certificate(await forge.issue({ key: publicKey }));
    const tbs = genuine.raw.subarray(4, 4 + 4 + genuine.raw.readUInt16BE(6));
    const { r, s } = ecdsaNumbers(genuine.raw.subarray(4 + tbs.length + 12 + 3));
    copy = new X509Certificate(assemble(tbs, sequence(integer(r), integer(P256_ORDER - s))));
  });

  test("is other bytes with a valid signature, so that a list of certificate hashes does not stop it", () => {
    expect(copy.raw.equals(genuine.raw)).toBe(false);
    expect(fingerprintOf(copy.toString())).not.toBe(fingerprintOf(genuine.toString()));
    expect(copy.verify(forge.root.publicKey)).toBe(true);
  });

  test("has the same serial, key and identity, by which it is admitted and revoked like the first", () => {
    expect(serialOf(copy)).toBe(serialOf(genuine));
    expect(spkiOf(copy)).toBe(spkiOf(genuine));
    expect(readCertificateIdentity(copy.raw)).toEqual(readCertificateIdentity(genuine.raw));
    const reading = checkIssuedCertificate(alone(copy.toString()), expected());
    expect(reading).toEqual(checkIssuedCertificate(alone(genuine.toString()), expected()));
    expect(reading).toMatchObject({ kind: "good" });
  });
});

describe("serialOf", () => {
  test.each([
    ["leaves out leading zeros", Buffer.from([0x00, 0x8f, 0x01]), "8f01"],
    ["keeps a zero inside", Buffer.from([0x05, 0x00, 0x01]), "50001"],
    ["writes zero as one digit", Buffer.from([0x00]), "0"],
    ["is in lower case", Buffer.from([0x7a, 0xbc, 0xde]), "7abcde"],
  ])("%s", async (_, bytes, text) => {
    expect(serialOf(new X509Certificate(await forge.issue({ edit: serial(bytes) })))).toBe(text);
  });
});
