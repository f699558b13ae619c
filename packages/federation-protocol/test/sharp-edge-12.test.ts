import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { newId } from "@mosaicstack/foundation";
import { beforeAll, describe, expect, test } from "vitest";
import {
  checkIssuedCertificate,
  GRANT_ID_OID,
  readCertificateIdentity,
  readCertificateRevocationList,
  serialOf,
  spkiOf,
  SUBJECT_USER_ID_OID,
} from "../src/index.ts";
import { dnsName, ecdsaNumbers, ia5, integer, otherName, sequence, utf8 } from "./der.ts";
import { forgeCa, forgeList, listEntry, NOW } from "./forge-list.ts";
import { assemble, certificatePem, type Forge, type Forgery, goodNames, openForge, SERVER_AUTH } from "./forge.ts";

/** Sharp edge 12 of the trust design: what a certificate must never be able to say, and the exact reason the audit gets. */

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const NUL = String.fromCharCode(0);
const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

let forge: Forge;
beforeAll(async () => {
  forge = await openForge();
});

/** What both gateways make of a certificate that a CA returned. */
async function reasonOf(forgery: Forgery, by = forge): Promise<string> {
  const certificate = await by.issue({ key: publicKey, names: [goodNames(forge.identity)], ...forgery });
  const { rootPem, identity, now } = forge;
  const spkiSha256 = spkiOf(new X509Certificate(certificate));
  const returned = { certificatePem: certificatePem(certificate), chainPem: [] };
  const reading = checkIssuedCertificate(returned, { rootPem, spkiSha256, identity, now });
  return reading.kind === "good" ? "none" : reading.reason;
}

const grant = (value = utf8(forge.identity.grantId)) => otherName(GRANT_ID_OID, value);
const subject = (value = utf8(forge.identity.subjectUserId)) => otherName(SUBJECT_USER_ID_OID, value);

const names: [string, () => Buffer[], string][] = [
  ["the grant's OID twice", () => [grant(), grant(), subject()], "grantId is repeated"],
  [
    "the grant's OID twice, with another grant",
    () => [grant(), subject(), grant(utf8(newId()))],
    "grantId is repeated",
  ],
  ["the subject's OID twice", () => [grant(), subject(), subject()], "subjectUserId is repeated"],
  ["no grant", () => [subject()], "grantId is missing"],
  ["no subject", () => [grant()], "subjectUserId is missing"],
  ["a wrong tag (IA5String)", () => [grant(ia5(forge.identity.grantId)), subject()], "grantId is not a UTF8String"],
  [
    "a wrong tag (IA5String) for the subject",
    () => [grant(), subject(ia5(newId()))],
    "subjectUserId is not a UTF8String",
  ],
  [
    "a NUL in a grant",
    () => [grant(utf8(`${forge.identity.grantId}${NUL}x`)), subject()],
    "grantId holds a control character",
  ],
  ["an escape in a subject", () => [grant(), subject(utf8("\u001b[2J"))], "subjectUserId holds a control character"],
  ["a grant of 200 bytes", () => [grant(utf8("a".repeat(200))), subject()], "grantId is longer than 128 bytes"],
  ["a grant that is no id", () => [grant(utf8("grant:9")), subject()], "grantId is not an id"],
  [
    "a DNS name besides",
    () => [grant(), subject(), dnsName("gateway.example")],
    "subjectAltName holds a name of another kind",
  ],
  ["1 kB in one name", () => [grant(utf8("a".repeat(1024))), subject()], "subjectAltName is larger than 512 bytes"],
  ["10 kB in one name", () => [grant(utf8("a".repeat(10_240))), subject()], "larger than 4 kB"],
  ["10 kB of names", () => Array.from({ length: 200 }, () => grant()), "larger than 4 kB"],
];

describe("sharp edge 12: fuzzed subjectAltNames are refused with the exact reason", () => {
  test("and a good certificate is not", async () => {
    expect(await reasonOf({})).toBe("none");
  });

  test.each(names)("%s", async (_, make, reason) => {
    const certificate = await forge.issue({ key: publicKey, names: [sequence(...make())] });
    expect(readCertificateIdentity(certificate)).toEqual({ kind: "malformed", reason });
    expect(await reasonOf({ names: [sequence(...make())] })).toBe(reason);
  });

  test("two subjectAltNames", async () => {
    const twice = [goodNames(forge.identity), goodNames(forge.identity)];
    const certificate = await forge.issue({ names: twice });
    expect(readCertificateIdentity(certificate)).toEqual({ kind: "malformed", reason: "more than one subjectAltName" });
  });

  test("none", async () => {
    expect(await reasonOf({ names: [] })).toBe("no subjectAltName");
  });

  test("a key usage for servers alone", async () => {
    expect(await reasonOf({ usages: [SERVER_AUTH] })).toBe("it is not for client authentication alone");
  });

  test("another CA, of the same name", async () => {
    expect(await reasonOf({}, await openForge())).toBe("it is not signed by the pinned root");
  });

  test("a copy with another signature that is as valid has the serial of the first, by which both are revoked", async () => {
    const genuine = new X509Certificate(await forge.issue({ key: publicKey }));
    const tbs = genuine.raw.subarray(4, 4 + 4 + genuine.raw.readUInt16BE(6));
    const { r, s } = ecdsaNumbers(genuine.raw.subarray(4 + tbs.length + 12 + 3));
    const copy = new X509Certificate(assemble(tbs, sequence(integer(r), integer(P256_ORDER - s))));
    expect(copy.verify(forge.root.publicKey)).toBe(true);
    expect(copy.fingerprint256).not.toBe(genuine.fingerprint256);
    const ca = await forgeCa();
    const entries = [listEntry(integer(BigInt(`0x${serialOf(genuine)}`)))];
    const list = readCertificateRevocationList(forgeList(ca, { entries }), { issuerPem: ca.pem, now: NOW });
    expect(list.kind !== "invalid" && list.has(serialOf(copy))).toBe(true);
  });

  test("a copy with another signature that is not valid", async () => {
    const genuine = new X509Certificate(await forge.issue({ key: publicKey }));
    const tbs = genuine.raw.subarray(4, 4 + 4 + genuine.raw.readUInt16BE(6));
    const { r, s } = ecdsaNumbers(genuine.raw.subarray(4 + tbs.length + 12 + 3));
    const { rootPem, identity, now } = forge;
    for (const signature of [
      sequence(integer(s), integer(r)),
      sequence(integer(r), integer(s + 1n)),
      sequence(integer(r + P256_ORDER), integer(s)),
    ]) {
      const returned = { certificatePem: certificatePem(assemble(tbs, signature)), chainPem: [] };
      const reading = checkIssuedCertificate(returned, { rootPem, spkiSha256: spkiOf(genuine), identity, now });
      expect(reading).toEqual({ kind: "bad", reason: "it is not signed by the pinned root" });
    }
  });
});
