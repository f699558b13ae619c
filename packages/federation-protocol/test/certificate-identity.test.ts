import { newId } from "@mosaicstack/foundation";
import { beforeAll, describe, expect, test } from "vitest";
import { GRANT_ID_OID, identitySubjectAltName, readCertificateIdentity, SUBJECT_USER_ID_OID } from "../src/index.ts";
import { der, dnsName, ia5, looselyEncoded, oid, otherName, sequence, utf8 } from "./der.ts";
import { type Forge, type Forgery, goodNames, newIdentity, openForge } from "./forge.ts";

const { grantId, subjectUserId } = newIdentity();
const grant = otherName(GRANT_ID_OID, utf8(grantId));
const subject = otherName(SUBJECT_USER_ID_OID, utf8(subjectUserId));
const grantSaying = (value: Uint8Array) => [sequence(otherName(GRANT_ID_OID, value), subject)];
const subjectSaying = (value: Uint8Array) => [sequence(grant, otherName(SUBJECT_USER_ID_OID, value))];

let forge: Forge;
beforeAll(async () => {
  forge = await openForge();
});

describe("a certificate that names one grant and one subject", () => {
  test("is read", async () => {
    const certificate = await forge.issue({ names: [sequence(grant, subject)] });
    expect(readCertificateIdentity(certificate)).toEqual({ kind: "identified", grantId, subjectUserId });
  });

  test("is read whichever of the two stands first", async () => {
    const certificate = await forge.issue({ names: [sequence(subject, grant)] });
    expect(readCertificateIdentity(certificate)).toEqual({ kind: "identified", grantId, subjectUserId });
  });

  test("is read from a view into a larger buffer", async () => {
    const certificate = await forge.issue({ names: [sequence(grant, subject)] });
    const pool = Buffer.concat([Buffer.alloc(100, 0x30), certificate, Buffer.alloc(100, 0x30)]);
    const view = new Uint8Array(pool.buffer, pool.byteOffset + 100, certificate.length);
    expect(readCertificateIdentity(view)).toEqual({ kind: "identified", grantId, subjectUserId });
  });

  test("is written as by hand, byte for byte", () => {
    const written = Buffer.from(identitySubjectAltName({ grantId, subjectUserId }));
    expect(written.toString("hex")).toBe(goodNames({ grantId, subjectUserId }).toString("hex"));
  });

  test.each([
    ["grant", { grantId: "grant_1", subjectUserId }],
    ["grant in upper case", { grantId: "ABCDEF00-0000-7000-8000-000000000001", subjectUserId }],
    ["subject", { grantId, subjectUserId: "" }],
    ["subject that brings a second one along", { grantId, subjectUserId: `${subjectUserId}${subjectUserId}` }],
  ])("is not read when written for a %s that is no id", async (_, identity) => {
    const names = new Uint8Array(identitySubjectAltName(identity));
    expect(readCertificateIdentity(await forge.issue({ names: [names] }))).toMatchObject({ kind: "malformed" });
  });
});

const GRANT_TYPE = "grantId is not a UTF8String";
const GRANT_LENGTH = "grantId is longer than 128 bytes";
const GRANT_CONTROL = "grantId holds a control character";
const GRANT_VALUE = "grantId is not an id";
const SUBJECT_TYPE = "subjectUserId is not a UTF8String";
const SUBJECT_CONTROL = "subjectUserId holds a control character";
const SUBJECT_VALUE = "subjectUserId is not an id";
const GRANT_MISSING = "grantId is missing";
const GRANT_REPEATED = "grantId is repeated";
const SUBJECT_MISSING = "subjectUserId is missing";
const SUBJECT_REPEATED = "subjectUserId is repeated";
const OTHER_KIND = "subjectAltName holds a name of another kind";
const CANONICAL = "subjectAltName is not canonical DER";
const EXTENSIONS = "more than one subjectAltName";
const NUL = String.fromCharCode(0);

const refused: readonly (readonly [what: string, forgery: Forgery, reason: string])[] = [
  ["no subjectAltName", { names: [] }, "no subjectAltName"],
  ["two subjectAltNames, alike", { names: [sequence(grant, subject), sequence(grant, subject)] }, EXTENSIONS],
  [
    "two subjectAltNames, a grant in one and a subject in the other",
    { names: [sequence(grant), sequence(subject)] },
    EXTENSIONS,
  ],
  ["an empty subjectAltName", { names: [sequence()] }, GRANT_MISSING],

  ["no grantId", { names: [sequence(subject)] }, GRANT_MISSING],
  ["no subjectUserId", { names: [sequence(grant)] }, SUBJECT_MISSING],
  ["a repeated grantId", { names: [sequence(grant, grant, subject)] }, GRANT_REPEATED],
  [
    "a second, other grantId",
    { names: [sequence(grant, subject, otherName(GRANT_ID_OID, utf8(newId())))] },
    GRANT_REPEATED,
  ],
  ["a repeated subjectUserId", { names: [sequence(grant, subject, subject)] }, SUBJECT_REPEATED],
  [
    "a second, other subjectUserId",
    { names: [sequence(otherName(SUBJECT_USER_ID_OID, utf8(newId())), grant, subject)] },
    SUBJECT_REPEATED,
  ],
  [
    "a second grantId of another type",
    { names: [sequence(grant, otherName(GRANT_ID_OID, ia5(grantId)), subject)] },
    GRANT_REPEATED,
  ],

  ["an extra DNS name", { names: [sequence(grant, subject, dnsName("gateway.example"))] }, OTHER_KIND],
  ["an extra DNS name in front", { names: [sequence(dnsName("gateway.example"), grant, subject)] }, OTHER_KIND],
  ["an extra IP address", { names: [sequence(grant, subject, der(0x87, Buffer.from([127, 0, 0, 1])))] }, OTHER_KIND],
  [
    "an extra e-mail address",
    { names: [sequence(grant, subject, der(0x81, Buffer.from("ada@example.org")))] },
    OTHER_KIND,
  ],
  ["an extra URI", { names: [sequence(grant, subject, der(0x86, Buffer.from("urn:grant:9")))] }, OTHER_KIND],
  [
    "an extra otherName",
    { names: [sequence(grant, subject, otherName("1.3.6.1.4.1.99999.3", utf8("x")))] },
    OTHER_KIND,
  ],
  [
    "an extra otherName below ours",
    { names: [sequence(grant, subject, otherName(`${GRANT_ID_OID}.1`, utf8(newId())))] },
    OTHER_KIND,
  ],

  ["a grantId as IA5String", { names: grantSaying(ia5(grantId)) }, GRANT_TYPE],
  ["a grantId as OCTET STRING", { names: grantSaying(der(0x04, Buffer.from(grantId))) }, GRANT_TYPE],
  ["a grantId as UTF8String within a SEQUENCE", { names: grantSaying(sequence(utf8(grantId))) }, GRANT_TYPE],
  ["a grantId as constructed UTF8String", { names: grantSaying(der(0x2c, utf8(grantId))) }, GRANT_TYPE],
  ["an empty grantId", { names: grantSaying(utf8("")) }, GRANT_VALUE],
  ["a grantId with a NUL inside", { names: grantSaying(utf8(`${grantId.slice(0, 35)}${NUL}`)) }, GRANT_CONTROL],
  ["a grantId with a NUL and more after it", { names: grantSaying(utf8(`${grantId}${NUL}${grantId}`)) }, GRANT_CONTROL],
  ["a grantId with a line feed after it", { names: grantSaying(utf8(`${grantId}\n`)) }, GRANT_CONTROL],
  ["a grantId in upper case", { names: grantSaying(utf8("ABCDEF00-0000-7000-8000-000000000001")) }, GRANT_VALUE],
  ["a grantId in braces", { names: grantSaying(utf8(`{${grantId}}`)) }, GRANT_VALUE],
  ["a grantId that is no UUID", { names: grantSaying(utf8("grant_1")) }, GRANT_VALUE],
  ["a grantId of full-width digits", { names: grantSaying(utf8(grantId.replace(/\d/, "０"))) }, GRANT_VALUE],
  ["a grantId that is no UTF-8", { names: grantSaying(der(0x0c, Buffer.alloc(36, 0xff))) }, GRANT_VALUE],
  ["a grantId of 256 bytes", { names: grantSaying(utf8(grantId.padEnd(256, "0"))) }, GRANT_LENGTH],
  [
    "a grantId of 1 kB",
    { names: grantSaying(utf8(grantId.padEnd(1024, "0"))) },
    "subjectAltName is larger than 512 bytes",
  ],
  ["a grantId with a loose length", { names: grantSaying(looselyEncoded(0x0c, Buffer.from(grantId))) }, GRANT_VALUE],
  ["a subjectUserId as IA5String", { names: subjectSaying(ia5(subjectUserId)) }, SUBJECT_TYPE],
  [
    "a subjectUserId with a NUL inside",
    { names: subjectSaying(utf8(`${subjectUserId.slice(0, 35)}${NUL}`)) },
    SUBJECT_CONTROL,
  ],
  ["a subjectUserId that is no UUID", { names: subjectSaying(utf8("urn:grant:9")) }, SUBJECT_VALUE],

  ["a value of 10 kB", { names: grantSaying(utf8(grantId.padEnd(10_240, "0"))) }, "larger than 4 kB"],
  [
    "three thousand names",
    { names: [sequence(grant, subject, ...Array.from({ length: 3000 }, () => dnsName("a")))] },
    "larger than 4 kB",
  ],

  ["bytes after the subjectAltName", { names: [Buffer.concat([sequence(grant, subject), grant])] }, CANONICAL],
  [
    "a NUL after the subjectAltName",
    { names: [Buffer.concat([sequence(grant, subject), Buffer.from([0])])] },
    CANONICAL,
  ],
  ["a subjectAltName with a loose length", { names: [looselyEncoded(0x30, grant, subject)] }, CANONICAL],
  [
    "a subjectAltName of indefinite length",
    { names: [Buffer.concat([Buffer.from([0x30, 0x80]), grant, subject, Buffer.from([0, 0])])] },
    CANONICAL,
  ],
  [
    "an otherName with a loose length",
    { names: [sequence(looselyEncoded(0xa0, oid(GRANT_ID_OID), der(0xa0, utf8(grantId))), subject)] },
    CANONICAL,
  ],
  [
    "an OID with padding in front of an arc",
    {
      names: [
        sequence(der(0xa0, der(0x06, Buffer.from("2b0601040180868d1f01", "hex")), der(0xa0, utf8(grantId))), subject),
      ],
    },
    CANONICAL,
  ],
  ["a subjectAltName that is cut short", { names: [sequence(grant, subject).subarray(0, -1)] }, CANONICAL],
  ["a subjectAltName that is a SET", { names: [der(0x31, grant, subject)] }, CANONICAL],
  ["a subjectAltName that is a text", { names: [utf8(grantId)] }, CANONICAL],
  ["a subjectAltName without a byte", { names: [Buffer.alloc(0)] }, CANONICAL],
];

describe("refused", () => {
  test.each(refused)("%s", async (_, forgery, reason) => {
    expect(readCertificateIdentity(await forge.issue(forgery))).toEqual({ kind: "malformed", reason });
  });

  test.each([
    ["no bytes", Buffer.alloc(0)],
    ["text", Buffer.from("-----BEGIN CERTIFICATE-----")],
    ["an empty SEQUENCE", sequence()],
    ["an empty SEQUENCE with a long length", Buffer.from([0x30, 0x82, 0, 0])],
    ["a SEQUENCE of zeros", sequence(Buffer.alloc(1000))],
    ["a thousand nested SEQUENCES", Buffer.from("3080".repeat(1000), "hex")],
  ])("%s instead of a certificate", (_, bytes) => {
    expect(readCertificateIdentity(bytes)).toEqual({ kind: "malformed", reason: "not a certificate" });
  });

  test("bytes after a good certificate", async () => {
    const certificate = await forge.issue();
    expect(readCertificateIdentity(certificate).kind).toBe("identified");
    const longer = Buffer.concat([certificate, Buffer.from([0])]);
    expect(readCertificateIdentity(longer)).toEqual({ kind: "malformed", reason: "not a certificate" });
  });

  test("a good certificate that lacks its last byte", async () => {
    const shorter = (await forge.issue()).subarray(0, -1);
    expect(readCertificateIdentity(shorter)).toEqual({ kind: "malformed", reason: "not a certificate" });
  });
});
