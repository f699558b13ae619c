import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  checkIssuedCertificate,
  createSigningRequest,
  readSigningRequest,
  serialOf,
} from "@mosaicstack/federation-protocol";
import { type Clock, newId, systemClock } from "@mosaicstack/foundation";
import { beforeAll, describe, expect, test } from "vitest";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "../src/index.ts";

const at = (time: string): Clock => ({ now: () => new Date(time) });
const identity = { grantId: newId(), subjectUserId: newId() };

async function clientRequest(notAfter: string) {
  const own = await createSigningRequest();
  const reading = await readSigningRequest(own.csrPem);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return { own, request: { kind: "client" as const, csr: reading.der, identity, notAfter: new Date(notAfter) } };
}

describe("an embedded root", () => {
  let rootPem: string;
  let root: X509Certificate;
  beforeAll(async () => {
    ({ rootPem } = await createEmbeddedAuthority({ clock: at("2026-06-01T12:00:00Z") }));
    root = new X509Certificate(rootPem);
  });

  test("is its own issuer, and a CA with none below it", () => {
    expect(root.ca).toBe(true);
    expect(root.checkIssued(root)).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    // basicConstraints: critical, CA, path length 0; keyUsage: critical, keyCertSign and cRLSign.
    expect(root.raw.toString("hex")).toContain("0603551d130101ff040830060101ff020100");
    expect(root.raw.toString("hex")).toContain("0603551d0f0101ff040403020106");
  });

  test("has a key on P-256, and a positive serial", () => {
    expect(root.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(serialOf(root)).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  test("lives ten years, from a minute before it was made", () => {
    expect(new Date(root.validFrom)).toEqual(new Date("2026-06-01T11:59:00Z"));
    expect(new Date(root.validTo)).toEqual(new Date("2036-06-01T11:59:00Z"));
  });

  test("is made with a name of its own each time", async () => {
    const another = await createEmbeddedAuthority({ clock: at("2026-06-01T12:00:00Z") });
    expect(new X509Certificate(another.rootPem).subject).not.toBe(root.subject);
  });

  test("does not open with another root's key", async () => {
    const { privateKeyPem } = await createEmbeddedAuthority({ clock: systemClock });
    await expect(openEmbeddedAuthority({ rootPem, privateKeyPem, clock: systemClock })).rejects.toThrow(
      "not its root's",
    );
  });

  test("keeps its key out of what it gives away", async () => {
    const material = await createEmbeddedAuthority({ clock: systemClock });
    const authority = await openEmbeddedAuthority({ ...material, clock: systemClock });
    const { d: secret } = createPrivateKey(material.privateKeyPem).export({ format: "jwk" });
    expect(secret).toHaveLength(43);
    const shown = JSON.stringify([authority, material.rootPem, Object.values(authority).map(String)]);
    expect(shown).not.toContain(secret);
    expect(new X509Certificate(material.rootPem).raw.includes(Buffer.from(secret!, "base64url"))).toBe(false);
  });
});

describe("over the years", () => {
  test("a root issues to its last second, and nothing after it", async () => {
    const material = await createEmbeddedAuthority({ clock: at("2026-06-01T12:00:00Z") });
    const { own, request } = await clientRequest("2037-01-01T00:00:00Z");
    const late = await openEmbeddedAuthority({ ...material, clock: at("2036-06-01T11:58:58Z") });
    const issued = await late.issue(request);
    expect(issued.notAfter).toEqual(new Date("2036-06-01T11:59:00Z"));
    const expected = {
      rootPem: material.rootPem,
      spkiSha256: own.spkiSha256,
      identity,
      now: new Date("2036-06-01T11:58:58Z"),
    };
    expect(checkIssuedCertificate(issued, expected)).toMatchObject({ kind: "good" });

    const tooLate = await openEmbeddedAuthority({ ...material, clock: at("2036-06-01T11:59:00Z") });
    await expect(tooLate.issue(request)).rejects.toThrow("expired before it was issued");
  });

  test("certificates are good on both sides of 2050, where the encoding of times changes (RFC 5280 4.1.2.5)", async () => {
    const clock = at("2048-01-01T00:00:00Z");
    const material = await createEmbeddedAuthority({ clock });
    const authority = await openEmbeddedAuthority({ ...material, clock });
    for (const end of ["2049-12-31T23:59:59.000Z", "2050-01-01T00:00:00.000Z", "2055-06-01T00:00:00.000Z"]) {
      const { own, request } = await clientRequest(end);
      const issued = await authority.issue(request);
      const expected = { rootPem: material.rootPem, spkiSha256: own.spkiSha256, identity, now: clock.now() };
      const reading = checkIssuedCertificate(issued, expected);
      expect(reading).toMatchObject({ kind: "good", notAfter: new Date(end) });
    }
  });

  test("a root made on a leap day is good", async () => {
    const { rootPem } = await createEmbeddedAuthority({ clock: at("2028-02-29T12:00:00Z") });
    expect(new Date(new X509Certificate(rootPem).validTo)).toEqual(new Date("2038-03-01T11:59:00Z"));
  });
});

describe("an embedded server certificate", () => {
  test.each([
    ["a name with letters beyond ASCII as IDNA has it", "bücher.example", "DNS:xn--bcher-kva.example"],
    ["a name in capitals in lower case", "Gateway.Example", "DNS:gateway.example"],
    ["an IPv4 address", "192.0.2.7", "IP Address:192.0.2.7"],
    ["an IPv6 address", "2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1"],
    ["an IPv6 address that ends in dotted numbers as itself", "::ffff:192.0.2.7", "IP Address:0:0:0:0:0:FFFF:C000:207"],
  ])("holds %s", async (_, name, shown) => {
    const authority = await openEmbeddedAuthority({
      ...(await createEmbeddedAuthority({ clock: systemClock })),
      clock: systemClock,
    });
    const { request } = await clientRequest(new Date(Date.now() + 3_600_000).toISOString());
    const isAddress = shown.startsWith("IP");
    const names = { dnsNames: isAddress ? [] : [name], ipAddresses: isAddress ? [name] : [] };
    const { certificatePem } = await authority.issue({
      kind: "server",
      csr: request.csr,
      notAfter: request.notAfter,
      ...names,
    });
    expect(new X509Certificate(certificatePem).subjectAltName).toBe(shown);
  });
});
