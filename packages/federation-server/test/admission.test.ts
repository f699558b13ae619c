import { X509Certificate } from "node:crypto";
import { openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { newId } from "@mosaicstack/foundation";
import { GRANT_ID_OID, splitCertificates, SUBJECT_USER_ID_OID } from "@mosaicstack/federation-protocol";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openChainedAuthority } from "./chained-authority.ts";
import { malleated } from "./malleated.ts";
import { callWith, DAY_MS, HOUR_MS, join, renew } from "./renewing-peer.ts";
import { issueClient, newAuthority, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

const { federationCertificates } = schema;
let gateway: ServingGateway;

beforeAll(async () => {
  gateway = await startServingGateway();
});
beforeEach(() => gateway.setClockRight());
afterAll(() => gateway.stop());

/** The last connection or request, as recorded. */
function lastRecord() {
  const { outcome, reason } = gateway.records.at(-1) ?? {};
  return { outcome, reason };
}

describe("a refused connection is recorded with the exact reason", () => {
  test("untrusted: no certificate", async () => {
    await callWith(gateway, {});
    expect(lastRecord()).toEqual({
      outcome: "certificate_untrusted",
      reason: "no client certificate was presented",
    });
  });

  test("untrusted: another CA", async () => {
    const other = await openEmbeddedAuthority({ ...(await newAuthority(gateway.clock)), clock: gateway.clock });
    await callWith(gateway, await issueClient(other, { grantId: newId(), subjectUserId: newId() }));
    expect(lastRecord()).toEqual({
      outcome: "certificate_untrusted",
      reason: expect.stringMatching(/UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)/) as string,
    });
  });

  test("untrusted: a certificate of another CA that has expired besides is not called expired", async () => {
    let past = Date.now() - 3 * DAY_MS;
    const clock = { now: () => new Date(past) };
    const other = await openEmbeddedAuthority({ ...(await newAuthority(clock)), clock });
    past += 1000;
    const keys = await issueClient(other, { grantId: newId(), subjectUserId: newId() }, new Date(past + DAY_MS));
    await callWith(gateway, keys);
    expect(lastRecord().outcome).toBe("certificate_untrusted");
  });

  test("unknown: of our CA, and never recorded", async () => {
    await callWith(gateway, await issueClient(gateway.authority, { grantId: newId(), subjectUserId: newId() }));
    expect(lastRecord()).toEqual({ outcome: "certificate_unknown", reason: "no such serial is recorded" });
  });

  test("altered: a copy whose signature was changed into another that holds", async () => {
    const { keys } = await join(gateway);
    const copy = malleated(new X509Certificate(keys.cert).raw);
    const x509 = new X509Certificate(copy);
    expect(x509.verify(new X509Certificate(gateway.rootPem).publicKey)).toBe(true);
    await callWith(gateway, { ...keys, cert: x509.toString() });
    expect(lastRecord()).toEqual({
      outcome: "certificate_altered",
      reason: "it differs from the certificate recorded under its serial",
    });
    expect(await callWith(gateway, keys)).toBe("200");
  });

  test("revoked, expired and not_yet_valid say since when", async () => {
    const peer = await join(gateway);
    gateway.advance(8 * DAY_MS + 1000);
    await callWith(gateway, peer.keys);
    expect(lastRecord()).toMatchObject({ outcome: "certificate_expired", reason: expect.stringContaining("since 20") });
    gateway.setClockRight();
    gateway.advance(-HOUR_MS);
    await callWith(gateway, peer.keys);
    expect(lastRecord()).toMatchObject({ outcome: "certificate_not_yet_valid" });
    gateway.setClockRight();
    await gateway.store.db
      .update(federationCertificates)
      .set({ revokedAt: new Date() })
      .where(eq(federationCertificates.grantId, peer.grantId));
    gateway.advance(30 * DAY_MS);
    await callWith(gateway, peer.keys);
    expect(lastRecord()).toMatchObject({ outcome: "certificate_revoked", reason: expect.stringContaining("since 20") });
  });

  test("expired: by the record, where that says sooner than the certificate", async () => {
    const peer = await join(gateway);
    await gateway.store.db
      .update(federationCertificates)
      .set({ notAfter: new Date(Date.now() - 2 * DAY_MS) })
      .where(eq(federationCertificates.grantId, peer.grantId));
    expect(await callWith(gateway, peer.keys)).toBe("dropped: certificate_expired");
  });

  test("not_checked: the database does not answer, so nobody is let in", async () => {
    const { keys } = await join(gateway);
    const whole = gateway.store.query.bind(gateway.store);
    gateway.store.query = () => Promise.reject(new Error("away"));
    try {
      expect(await callWith(gateway, keys)).toBe("dropped: certificate_not_checked");
    } finally {
      gateway.store.query = whole;
    }
  });
});

describe("names that are malformed are refused with 401 identity_invalid, and recorded with the exact reason", () => {
  let alteration = (names: string[]): string[] => names;
  let wrong: Awaited<ReturnType<typeof openChainedAuthority>>;
  let misled: ServingGateway;
  beforeAll(async () => {
    wrong = await openChainedAuthority((names) => alteration(names));
    misled = await startServingGateway({ authority: () => wrong });
  });
  afterAll(async () => {
    await misled?.stop();
    await wrong?.close();
  });

  test.each([
    ["grantId is repeated", (names: string[]) => [...names, names[0] ?? ""]],
    ["subjectUserId is repeated", (names: string[]) => [...names, names[1] ?? ""]],
    ["grantId is missing", (names: string[]) => names.slice(1)],
    ["subjectAltName holds a name of another kind", (names: string[]) => [...names, "DNS:example.test"]],
    ["grantId is not a UTF8String", ([, subject = ""]: string[]) => [`otherName:${GRANT_ID_OID};IA5:x`, subject]],
    ["subjectUserId is not an id", ([grant = ""]: string[]) => [grant, `otherName:${SUBJECT_USER_ID_OID};UTF8:root`]],
  ])("%s", async (reason, alter) => {
    alteration = alter;
    const peer = await issueClient(wrong, { grantId: newId(), subjectUserId: newId() });
    alteration = (names) => names;
    // As if this gateway had issued it: nothing but its names is wrong.
    const { grantId } = await join(misled);
    const { serial, spki, notAfter, cert } = peer;
    const row = { serial, spki, notAfter, pem: cert, grantId, generation: 9, issuedAt: new Date() };
    await misled.store.db.insert(federationCertificates).values(row);
    const keys = { key: peer.key, cert: [cert, wrong.intermediatePem].join("\n") };
    const answer = await misled.ask(misled.agent(keys), "list", {});
    expect([answer.status, answer.json["code"]]).toEqual([401, "identity_invalid"]);
    expect(misled.records.at(-1)).toMatchObject({
      outcome: "identity_invalid",
      reason: expect.stringContaining(reason),
    });
  });
});

describe("an authority with an intermediate", () => {
  let chained: ServingGateway;
  let authority: Awaited<ReturnType<typeof openChainedAuthority>>;
  beforeAll(async () => {
    authority = await openChainedAuthority();
    chained = await startServingGateway({ authority: () => authority });
  });
  afterAll(async () => {
    await chained?.stop();
    await authority?.close();
  });

  test("a peer that presents its chain is served and renews, and both answers bring the chain", async () => {
    const { keys } = await join(chained);
    expect(splitCertificates(keys.cert)).toHaveLength(2);
    expect(await callWith(chained, keys)).toBe("200");
    const next = await renew(chained, keys);
    expect(splitCertificates(next.cert)).toHaveLength(2);
    expect(await callWith(chained, next)).toBe("200");
    const rows = await chained.store.db.select().from(federationCertificates);
    for (const { pem, chainPem } of rows) {
      expect([splitCertificates(pem).length, chainPem.length]).toEqual([1, 1]);
    }
  });

  test("a peer that presents its certificate alone is untrusted: the trust store holds the root and nothing else", async () => {
    const { keys } = await join(chained);
    const [leaf = ""] = splitCertificates(keys.cert);
    expect(await callWith(chained, { ...keys, cert: leaf })).toBe("dropped: certificate_untrusted");
    expect(chained.records.at(-1)?.reason).toMatch(/UNABLE_TO/);
  });
});

describe("a certificate that has really expired, which OpenSSL says too", () => {
  let past: ServingGateway;
  const offsetMs = -(7 * DAY_MS + 12 * HOUR_MS);
  beforeAll(async () => {
    past = await startServingGateway({ offsetMs });
  });
  afterAll(() => past.stop());

  test("is let in to renew within the grace, and to nothing else; and an unrecorded one is not", async () => {
    const peer = await join(past);
    const unrecorded = await issueClient(
      past.authority,
      { grantId: newId(), subjectUserId: newId() },
      new Date(past.clock.now().getTime() + DAY_MS),
    );
    past.setClockRight();
    expect(await callWith(past, peer.keys)).toBe("grant_expired");
    expect(await callWith(past, await renew(past, peer.keys))).toBe("200");
    expect(await callWith(past, unrecorded)).toBe("dropped: certificate_untrusted");
    expect(past.records.at(-1)?.reason).toBe("CERT_HAS_EXPIRED");
  });
});
