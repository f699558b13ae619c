import "reflect-metadata";
import { X509Certificate } from "node:crypto";
import { KeyUsageFlags } from "@peculiar/x509";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { followChain, splitCertificates } from "../src/index.ts";
import { DAY_MS, type ForgedCa, forgeCa, NOW } from "./forge-list.ts";

let root: ForgedCa;
let intermediate: ForgedCa;
let leaf: ForgedCa;
beforeAll(async () => {
  root = await forgeCa({ pathLength: 1 });
  intermediate = await forgeCa({ by: root, pathLength: 0, notAfter: at(100 * DAY_MS) });
  leaf = await forgeCa({ by: intermediate, isCa: false });
});

const at = (ms: number) => new Date(NOW.getTime() + ms);
const follow = (certificate: ForgedCa, chain: readonly ForgedCa[], to = root, now = NOW) =>
  followChain(certificate.x509, { chainPem: chain.map(({ pem }) => pem), rootPem: to.pem, now });
const broken = (reason: string) => ({ kind: "broken", reason });

describe("a chain is followed", () => {
  test("through an intermediate, and ends when the first of its CAs does", () => {
    const reading = follow(leaf, [intermediate]);
    expect(reading).toMatchObject({ kind: "chained", notAfter: at(100 * DAY_MS) });
    if (reading.kind === "broken") throw new Error(reading.reason);
    expect(reading.issuer.raw.equals(intermediate.x509.raw)).toBe(true);
  });

  test("straight to the root", async () => {
    const direct = await forgeCa({ by: root, isCa: false });
    expect(follow(direct, [])).toMatchObject({ kind: "chained", notAfter: at(365 * DAY_MS) });
  });

  test("through three intermediates, and no more", async () => {
    const top = await forgeCa();
    const links: ForgedCa[] = [];
    for (let count = 0; count < 4; count++) links.unshift(await forgeCa({ by: links[0] ?? top }));
    const [fourth, ...three] = links;
    if (fourth === undefined) throw new Error("no links");
    expect(follow(fourth, three, top).kind).toBe("chained");
    const deep = await forgeCa({ by: fourth, isCa: false });
    expect(follow(deep, links, top)).toEqual(broken("its chain has more than 3 intermediates"));
  });
});

describe("a chain is refused", () => {
  test("that lacks the intermediate", () => {
    expect(follow(leaf, [])).toEqual(broken("it is not signed by the pinned root"));
  });

  test("whose intermediate is another CA's, or another key's of the same name", async () => {
    const reason = "it is not signed by certificate 1 of its chain";
    expect(follow(leaf, [await forgeCa({ by: root })])).toEqual(broken(reason));
    expect(follow(leaf, [await forgeCa({ by: root, name: intermediate.x509.subject })])).toEqual(broken(reason));
  });

  test("that ends in another root, also one of the same name", async () => {
    const reason = "its chain does not end in the pinned root";
    expect(follow(leaf, [intermediate], await forgeCa())).toEqual(broken(reason));
    expect(follow(leaf, [intermediate], await forgeCa({ name: root.x509.subject }))).toEqual(broken(reason));
  });

  test("with a certificate too many, twice the same, or the root in it", async () => {
    expect(follow(leaf, [intermediate, await forgeCa({ by: root })]).kind).toBe("broken");
    expect(follow(leaf, [intermediate, intermediate])).toEqual(
      broken("it is not signed by certificate 2 of its chain"),
    );
    expect(follow(leaf, [leaf, intermediate])).toEqual(broken("it is not signed by certificate 1 of its chain"));
  });

  test("in which a leaf signed", async () => {
    const below = await forgeCa({ by: leaf, isCa: false });
    expect(follow(below, [leaf, intermediate])).toEqual(broken("it is not signed by certificate 1 of its chain"));
  });

  test("in which a CA signed that may not sign certificates", async () => {
    const listsAlone = await forgeCa({ by: root, usages: KeyUsageFlags.cRLSign });
    const below = await forgeCa({ by: listsAlone, isCa: false });
    expect(follow(below, [listsAlone])).toEqual(broken("it is not signed by certificate 1 of its chain"));
  });

  test("with more CAs below one than it allows", async () => {
    const lower = await forgeCa({ by: intermediate });
    const below = await forgeCa({ by: lower, isCa: false });
    expect(follow(below, [lower, intermediate])).toEqual(broken("its chain is longer than its CAs allow"));
  });

  test("of which a CA has expired, or is not valid yet", async () => {
    expect(follow(leaf, [intermediate], root, at(100 * DAY_MS))).toEqual(broken("its chain has expired"));
    expect(follow(leaf, [intermediate], root, at(100 * DAY_MS - 1)).kind).toBe("chained");
    const early = await forgeCa({ by: root, notBefore: at(61_000) });
    const below = await forgeCa({ by: early, isCa: false });
    expect(follow(below, [early])).toEqual(broken("its chain is not valid yet"));
    expect(follow(below, [early], root, at(1000)).kind).toBe("chained");
  });

  test("as an Error where one of it is no certificate", () => {
    expect(() => followChain(leaf.x509, { chainPem: ["certificate"], rootPem: root.pem, now: NOW })).toThrow(Error);
  });
});

describe("splitCertificates", () => {
  test("gives each certificate of a text, and nothing else of it", () => {
    const text = `subject=x\n${leaf.pem}\n\n${intermediate.pem}trailing`;
    const [one, two, ...others] = splitCertificates(text);
    expect(others).toEqual([]);
    expect(new X509Certificate(one!).raw.equals(leaf.x509.raw)).toBe(true);
    expect(new X509Certificate(two!).raw.equals(intermediate.x509.raw)).toBe(true);
    expect(splitCertificates("")).toEqual([]);
  });

  test("of any text is soon done", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 5000 }), (text) => splitCertificates(text).length === 0),
      { numRuns: 200 },
    );
    const startedAt = performance.now();
    expect(splitCertificates("-----BEGIN CERTIFICATE-----\nAAAA".repeat(2000))).toEqual([]);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});
