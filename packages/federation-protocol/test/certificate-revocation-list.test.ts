import "reflect-metadata";
import { KeyUsageFlags } from "@peculiar/x509";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { readCertificateRevocationList } from "../src/index.ts";
import { der, integer, looselyEncoded, oid, pem, sequence } from "./der.ts";
import {
  ECDSA_WITH_SHA256,
  extension,
  type ForgedCa,
  forgeCa,
  forgeList,
  listEntry,
  listNumber,
  type ListWishes,
  NOW,
  utcTime,
} from "./forge-list.ts";

let ca: ForgedCa;
let genuine: Buffer;
beforeAll(async () => {
  ca = await forgeCa();
  genuine = forgeList(ca, { entries: [listEntry(integer(0x4a5b6cn)), listEntry(integer(0xffn), reason(9))] });
});

const reason = (code: number) => extension("2.5.29.21", Buffer.from([0x0a, 1, code]));
const read = (list: Uint8Array, issuerPem = ca.pem, now = NOW) =>
  readCertificateRevocationList(list, { issuerPem, now });
const invalid = (why: string) => ({ kind: "invalid", reason: why });
const at = (ms: number) => new Date(NOW.getTime() + ms);

describe("a list that its CA signed", () => {
  test("is valid, and says who is on it", () => {
    const list = read(genuine);
    expect(list).toMatchObject({
      kind: "valid",
      number: 7n,
      thisUpdate: at(-3_600_000),
      nextUpdate: at(23 * 3_600_000),
    });
    if (list.kind === "invalid") throw new Error(list.reason);
    expect([...list.serials]).toEqual(["4a5b6c", "ff"]);
    expect([list.has("4a5b6c"), list.has("ff"), list.has("00ff"), list.has("4a5b6d"), list.has("")]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test("may name nobody", () => {
    expect(read(forgeList(ca))).toMatchObject({ kind: "valid", serials: new Set() });
  });

  test("past its nextUpdate is stale, and still says who is on it", () => {
    const list = read(genuine, ca.pem, at(23 * 3_600_000));
    expect(list).toMatchObject({ kind: "stale", number: 7n, serials: new Set(["4a5b6c", "ff"]) });
    expect(read(genuine, ca.pem, at(23 * 3_600_000 - 1)).kind).toBe("valid");
  });

  test("may be five minutes ahead of our clock, and no more", () => {
    expect(read(forgeList(ca, { thisUpdate: utcTime(at(300_000)) })).kind).toBe("valid");
    expect(read(forgeList(ca, { thisUpdate: utcTime(at(301_000)) }))).toEqual(invalid("it is not valid yet"));
  });

  test("may have an address, and be of end entities alone, as step-ca's is", () => {
    const address = der(0xa0, der(0xa0, der(0x86, Buffer.from("https://ca.example/1.0/crl"))));
    const scope = (...members: Buffer[]) => extension("2.5.29.28", sequence(...members), true);
    expect(read(forgeList(ca, { extensions: [listNumber(0n), scope(address)] }))).toMatchObject({
      kind: "valid",
      number: 0n,
    });
    expect(
      read(forgeList(ca, { extensions: [listNumber(0n), scope(address, der(0x81, Buffer.from([0xff])))] })).kind,
    ).toBe("valid");
  });

  test("may be of an intermediate, by whose certificate it is read, and not by its root's", async () => {
    const intermediate = await forgeCa({ by: ca });
    const list = forgeList(intermediate);
    expect(read(list, intermediate.pem).kind).toBe("valid");
    expect(read(list).kind).toBe("invalid");
  });

  test("may be signed with SHA-384", () => {
    const sha384 = sequence(oid("1.2.840.10045.4.3.3"));
    expect(read(forgeList(ca, { algorithm: sha384, digest: "sha384" })).kind).toBe("valid");
  });
});

describe("refused", () => {
  const NOT_SIGNED = "it is not signed by its issuer";
  const NOT_UNDERSTOOD = "it has an extension that must be understood, and is not";
  const cases: [string, ListWishes | (() => ListWishes), string][] = [
    [
      "a signature of which a bit is changed",
      { signature: (bytes) => Buffer.from(bytes.map((byte, index) => (index === 20 ? byte ^ 1 : byte))) },
      NOT_SIGNED,
    ],
    ["a signature that is cut short", { signature: (bytes) => bytes.subarray(0, -1) }, NOT_SIGNED],
    ["no signature", { signature: () => Buffer.alloc(0) }, NOT_SIGNED],
    ["a signature of zeros", { signature: () => sequence(integer(0n), integer(0n)) }, NOT_SIGNED],
    ["another digest than it names", { digest: "sha384" }, NOT_SIGNED],
    ["RSA named for a key on P-256", { algorithm: sequence(oid("1.2.840.113549.1.1.11")) }, NOT_SIGNED],
    ["SHA-1", { algorithm: sequence(oid("1.2.840.10045.4.1")), digest: "sha1" }, "it is signed in an unknown way"],
    [
      "two different algorithms",
      { algorithm: sequence(oid("1.2.840.10045.4.3.3")), outerAlgorithm: ECDSA_WITH_SHA256 },
      "it is not a CRL",
    ],
    ["another issuer's name", { issuer: sequence() }, "it is of another issuer"],
    ["no number", { extensions: [] }, "it has no number"],
    ["no extensions", { extensions: undefined }, "it has no number"],
    ["a number below zero", { extensions: [extension("2.5.29.20", Buffer.from([2, 1, 0xff]))] }, "it is not a CRL"],
    ["two numbers", { extensions: [listNumber(1n), listNumber(2n)] }, "it is not a CRL"],
    ["no nextUpdate", { nextUpdate: undefined }, "it does not say when the next one comes"],
    ["a nextUpdate in a thirteenth month", { nextUpdate: der(0x17, Buffer.from("271301000000Z")) }, "it is not a CRL"],
    ["a nextUpdate on 30 February", { nextUpdate: der(0x17, Buffer.from("270230000000Z")) }, "it is not a CRL"],
    ["a nextUpdate in no time zone", { nextUpdate: der(0x17, Buffer.from("270201000000")) }, "it is not a CRL"],
    ["version 1", { version: undefined }, "it is not a CRL"],
    [
      "a list of changes (delta CRL)",
      { extensions: [listNumber(7n), extension("2.5.29.27", integer(6n), true)] },
      NOT_UNDERSTOOD,
    ],
    [
      "a list of CAs alone",
      { extensions: [listNumber(7n), extension("2.5.29.28", sequence(der(0x82, Buffer.from([0xff]))), true)] },
      NOT_UNDERSTOOD,
    ],
    [
      "a list of some reasons alone",
      { extensions: [listNumber(7n), extension("2.5.29.28", sequence(der(0x83, Buffer.from([6, 0x40]))), true)] },
      NOT_UNDERSTOOD,
    ],
    [
      "a list of other issuers' certificates",
      { extensions: [listNumber(7n), extension("2.5.29.28", sequence(der(0x84, Buffer.from([0xff]))), true)] },
      NOT_UNDERSTOOD,
    ],
    [
      "an entry of another issuer",
      { entries: [listEntry(integer(1n), extension("2.5.29.29", sequence(), true))] },
      NOT_UNDERSTOOD,
    ],
    ["an entry below zero", { entries: [listEntry(Buffer.from([2, 1, 0x80]))] }, "it is not a CRL"],
    ["an entry with a padded serial", { entries: [listEntry(Buffer.from([2, 2, 0, 1]))] }, "it is not a CRL"],
    ["an entry without a date", { entries: [sequence(integer(1n))] }, "it is not a CRL"],
    [
      "an entry with more after it",
      { entries: [sequence(integer(1n), utcTime(NOW), sequence(), integer(1n))] },
      "it is not a CRL",
    ],
    ["a loose length", { entries: [looselyEncoded(0x30, integer(1n), utcTime(NOW))] }, "it is not a CRL"],
    ["more after its end", { after: integer(1n) }, "it is not a CRL"],
  ];
  test.each(cases)("%s", (_, wishes, why) => {
    expect(read(forgeList(ca, typeof wishes === "function" ? wishes() : wishes))).toEqual(invalid(why));
  });

  test("a list of another CA, and of another key under the same name", async () => {
    expect(read(genuine, (await forgeCa()).pem)).toEqual(invalid(NOT_SIGNED));
    const double = await forgeCa({ name: ca.x509.subject });
    expect(read(forgeList(double))).toEqual(invalid(NOT_SIGNED));
  });

  test("an issuer that may not sign lists", async () => {
    const refusal = invalid("its issuer cannot sign CRLs");
    const noCa = await forgeCa({ isCa: false });
    expect(read(forgeList(noCa), noCa.pem)).toEqual(refusal);
    const certificatesAlone = await forgeCa({ usages: KeyUsageFlags.keyCertSign });
    expect(read(forgeList(certificatesAlone), certificatesAlone.pem)).toEqual(refusal);
    const both = await forgeCa({ usages: KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign });
    expect(read(forgeList(both), both.pem).kind).toBe("valid");
    expect(read(genuine, "certificate")).toEqual(refusal);
  });

  test("what is no list", () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from(pem("X509 CRL", genuine)),
      ca.x509.raw,
      sequence(),
      Buffer.alloc(1000),
      Buffer.from("3080".repeat(5000), "hex"),
    ]) {
      expect(read(bytes).kind).toBe("invalid");
    }
    expect(read(Buffer.alloc(4 * 1024 * 1024 + 1, 0x30))).toEqual(invalid("it is larger than 4 MB"));
    expect(read(Buffer.concat([genuine, Buffer.from([0])]))).toEqual(invalid("it is not a CRL"));
  });
});

describe("fuzzed", () => {
  test("any bytes are invalid, and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => read(bytes).kind === "invalid"),
      { numRuns: 500 },
    );
  });

  test("a genuine list with any one bit flipped is invalid", () => {
    for (let byte = 0; byte < genuine.length; byte++) {
      const flipped = Buffer.from(genuine);
      flipped[byte]! ^= 1 << (byte % 8);
      expect([byte, read(flipped).kind]).toEqual([byte, "invalid"]);
    }
  });

  test("a genuine list that is cut short anywhere is invalid", () => {
    for (let length = 0; length < genuine.length; length++)
      expect(read(genuine.subarray(0, length)).kind).toBe("invalid");
  });

  test("whatever a CA signs is read as it is written or refused, and nothing is thrown", () => {
    const piece = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    const serial = fc.bigInt({ min: 0n, max: (1n << 159n) - 1n });
    fc.assert(
      fc.property(
        fc.array(serial, { maxLength: 5 }),
        fc.option(piece, { nil: undefined }),
        fc.boolean(),
        (serials, junk, inside) => {
          const good = serials.map((each) => listEntry(integer(each)));
          const entries =
            junk === undefined ? good : [...good, inside ? sequence(integer(1n), utcTime(NOW), junk) : junk];
          const list = read(forgeList(ca, { entries }));
          if (list.kind === "invalid") return junk !== undefined;
          const missing = serials.filter((each) => !list.has(each.toString(16)));
          const isMore = junk === undefined && list.serials.size !== new Set(serials).size;
          return missing.length === 0 && !isMore;
        },
      ),
      { numRuns: 300 },
    );
  });
});
