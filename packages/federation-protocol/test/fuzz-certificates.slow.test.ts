import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  createSigningRequest,
  GRANT_ID_OID,
  readCertificateIdentity,
  readSigningRequest,
  SUBJECT_USER_ID_OID,
} from "../src/index.ts";
import { der, dnsName, otherName, sequence, set, utf8 } from "./der.ts";
import { type Forge, goodNames, newIdentity, openForge } from "./forge.ts";

/** What a reading of at most this many milliseconds is: far above what any takes, far below what would hold a gateway up. */
const MAX_READING_MS = 500;

let forge: Forge;
let genuine: Buffer;
beforeAll(async () => {
  forge = await openForge();
  genuine = await forge.issue();
});

/** DER of any shape, so that a fuzzer gets past the first byte. */
const { element } = fc.letrec<{ element: Buffer }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 6 },
    fc
      .tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 12, 19, 22, 23, 0x82, 0x87), fc.uint8Array({ maxLength: 40 }))
      .map(([tag, body]) => der(tag, body)),
    fc
      .tuple(fc.constantFrom(0x30, 0x31, 0xa0, 0xa1, 0xa3, 0x24, 0x2c), fc.array(tie("element"), { maxLength: 5 }))
      .map(([tag, parts]) => der(tag, ...parts)),
  ),
}));

/** A change of a few bytes. Positions and lengths are parts of the whole, so that they fit any input. */
type Change =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "delete"; readonly at: number; readonly count: number }
  | { readonly kind: "copy"; readonly from: number; readonly count: number; readonly at: number };

const part = fc.double({ min: 0, max: 1, noNaN: true });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: part, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("insert" as const), at: part, bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constant("delete" as const), at: part, count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant("copy" as const), from: part, count: fc.integer({ min: 1, max: 60 }), at: part }),
);
const changes = fc.array(change, { minLength: 1, maxLength: 4 });

function changed(original: Buffer, list: readonly Change[]): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (const each of list) {
    const at = Math.floor(each.at * bytes.length);
    const [before, rest] = [bytes.subarray(0, at), bytes.subarray(at)];
    if (each.kind === "insert") bytes = Buffer.concat([before, each.bytes, rest]);
    else if (each.kind === "delete") bytes = Buffer.concat([before, rest.subarray(each.count)]);
    else if (each.kind === "copy") {
      const from = Math.floor(each.from * bytes.length);
      bytes = Buffer.concat([before, bytes.subarray(from, from + each.count), rest.subarray(each.count)]);
    } else if (rest.length > 0) bytes[at]! ^= 1 << each.bit;
  }
  return bytes;
}

/** The same, with the length of the outermost element put right again, so that what is within is reached. */
function changedWithin(original: Buffer, list: readonly Change[]): Buffer {
  return sequence(changed(original.subarray(4), list));
}

function isTrusted(certificate: Buffer): boolean {
  try {
    return new X509Certificate(certificate).verify(forge.root.publicKey);
  } catch {
    return false;
  }
}

describe("readCertificateIdentity", () => {
  const expectMalformedInTime = (bytes: Uint8Array) => {
    const startedAt = performance.now();
    expect(readCertificateIdentity(bytes).kind).toBe("malformed");
    expect(performance.now() - startedAt).toBeLessThan(MAX_READING_MS);
  };

  test("of any bytes is malformed, never thrown, and takes no time", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 6000 }), expectMalformedInTime), { numRuns: 500 });
  });

  test("of any DER is the same", () => {
    const padded = element.map((bytes) => sequence(bytes, der(4, Buffer.alloc(256))));
    fc.assert(fc.property(padded, expectMalformedInTime), { numRuns: 500 });
  });

  test("of a genuine certificate with any one bit flipped outside the ids is the genuine identity or none", () => {
    const ids = [forge.identity.grantId, forge.identity.subjectUserId].map((id) => genuine.indexOf(id));
    const names = genuine.indexOf(Buffer.from("551d11", "hex"));
    let identified = 0;
    for (let at = 0; at < genuine.length; at++) {
      if (ids.some((start) => at >= start && at < start + 36)) continue;
      // Every bit of the names and of what frames them, and one of every byte elsewhere.
      for (const bit of at >= names - 8 && at < ids[1]! ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8]) {
        const flipped = Buffer.from(genuine);
        flipped[at]! ^= 1 << bit;
        const reading = readCertificateIdentity(flipped);
        if (reading.kind === "malformed") continue;
        identified++;
        expect(reading).toEqual({ kind: "identified", ...forge.identity });
      }
    }
    // Serial, key, times and signature are no part of the identity: the test saw both kinds of outcome.
    expect(identified).toBeGreaterThan(100);
  });

  test("of a changed certificate that its CA's signature still covers is the genuine identity or none", () => {
    fc.assert(
      fc.property(changes, fc.boolean(), (list, repaired) => {
        const certificate = repaired ? changedWithin(genuine, list) : changed(genuine, list);
        const reading = readCertificateIdentity(certificate);
        if (reading.kind === "malformed" || !isTrusted(certificate)) return;
        expect(reading).toEqual({ kind: "identified", ...forge.identity });
      }),
      { numRuns: 1000 },
    );
  });

  test("of names that a CA signed, changed, is what those very bytes say in the one way to say it", async () => {
    const good = goodNames(forge.identity);
    await fc.assert(
      fc.asyncProperty(changes, fc.boolean(), async (list, repaired) => {
        const names = repaired ? sequence(changed(good.subarray(2), list)) : changed(good, list);
        const reading = readCertificateIdentity(await forge.issue({ names: [names] }));
        if (reading.kind === "malformed") return;
        const { grantId, subjectUserId } = reading;
        const grant = otherName(GRANT_ID_OID, utf8(grantId));
        const subject = otherName(SUBJECT_USER_ID_OID, utf8(subjectUserId));
        const ways = [sequence(grant, subject), sequence(subject, grant)].map((way) => way.toString("hex"));
        expect(ways).toContain(names.toString("hex"));
      }),
      { numRuns: 250 },
    );
  });

  test("of names of any DER that a CA signed is malformed", async () => {
    await fc.assert(
      fc.asyncProperty(element, async (names) => expectMalformedInTime(await forge.issue({ names: [names] }))),
      { numRuns: 150 },
    );
  });

  test.each([
    ["names", () => [sequence(...Array.from({ length: 1200 }, () => dnsName("a")))]],
    ["otherNames", () => [sequence(...Array.from({ length: 380 }, () => otherName("1.2", utf8(""))))]],
    ["subjectAltNames", () => Array.from({ length: 200 }, () => sequence())],
    ["nested names", () => [Buffer.from("3080".repeat(1700), "hex")]],
  ])("of the most %s that fit takes no time", async (_, names) => {
    const certificate = await forge.issue({ names: names() });
    expect(certificate.length).toBeGreaterThan(3000);
    expect(certificate.length).toBeLessThanOrEqual(4096);
    expectMalformedInTime(certificate);
  });
});

describe("readSigningRequest", () => {
  const expectMalformedInTime = async (input: string | Uint8Array) => {
    const startedAt = performance.now();
    expect((await readSigningRequest(input)).kind).toBe("malformed");
    expect(performance.now() - startedAt).toBeLessThan(MAX_READING_MS);
  };

  const derOf = (csrPem: string) => Buffer.from(csrPem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");

  test("of any bytes or text is malformed, never thrown, and takes no time", async () => {
    const text = fc.oneof(
      fc.string({ maxLength: 9000 }),
      fc.base64String({ maxLength: 9000 }),
      fc.string({ unit: "binary" }),
    );
    const input = fc.oneof(fc.uint8Array({ maxLength: 9000 }), text, element);
    await fc.assert(fc.asyncProperty(input, expectMalformedInTime), { numRuns: 600 });
  });

  test("of any text in the armour of a request is the same", async () => {
    const body = fc.oneof(
      fc.base64String({ maxLength: 4000 }),
      fc.string({ maxLength: 4000 }),
      element.map((bytes) => bytes.toString("base64")),
    );
    const armoured = body.map(
      (text) => `-----BEGIN CERTIFICATE REQUEST-----\n${text}\n-----END CERTIFICATE REQUEST-----`,
    );
    await fc.assert(fc.asyncProperty(armoured, expectMalformedInTime), { numRuns: 500 });
  });

  test("of a genuine request with any one bit flipped is malformed", async () => {
    const request = derOf((await createSigningRequest()).csrPem);
    for (let at = 0; at < request.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(request);
        flipped[at]! ^= 1 << bit;
        expect([at, bit, (await readSigningRequest(flipped)).kind]).toEqual([at, bit, "malformed"]);
      }
    }
  });

  test("of a changed request is malformed, or it is the same request", async () => {
    const { csrPem, spkiSha256 } = await createSigningRequest();
    const request = derOf(csrPem);
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const input = changed(request, list);
        const reading = await readSigningRequest(input);
        const same = { kind: "request", spkiSha256, der: new Uint8Array(input) };
        const unread = { kind: "malformed" };
        expect(reading).toMatchObject(reading.kind === "request" || input.equals(request) ? same : unread);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    [
      "attributes",
      () =>
        sequence(
          sequence(
            Buffer.from([2, 1, 0]),
            sequence(),
            der(0xa0, ...Array.from({ length: 1300 }, () => sequence(der(6, Buffer.from([42])), set()))),
          ),
        ),
    ],
    [
      "subject",
      () =>
        sequence(
          sequence(
            Buffer.from([2, 1, 0]),
            sequence(...Array.from({ length: 1300 }, () => set(sequence(der(6, Buffer.from([42])), utf8(""))))),
          ),
        ),
    ],
    ["nesting", () => Buffer.from("3080".repeat(4096), "hex")],
    ["line ends", () => `-----BEGIN CERTIFICATE REQUEST-----${"\n".repeat(8000)}`],
    ["beginnings", () => "-----BEGIN CERTIFICATE REQUEST-----\n".repeat(227)],
    ["blanks", () => " ".repeat(8192)],
    ["headers", () => Buffer.from(`-----BEGIN A-----\n${"A: b\n".repeat(1600)}`)],
  ])("of the most %s that fits takes no time", async (_, input) => await expectMalformedInTime(input()));
});

test("two identities are never read as one another", async () => {
  const [one, another] = [newIdentity(), newIdentity()];
  const certificates = await Promise.all(
    [one, another].map((identity) => forge.issue({ names: [goodNames(identity)] })),
  );
  expect(certificates.map((each) => readCertificateIdentity(each))).toEqual([
    { kind: "identified", ...one },
    { kind: "identified", ...another },
  ]);
});
