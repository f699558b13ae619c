import { X509Certificate } from "node:crypto";
import { createSigningRequest, RENEWAL_PATH, renewalResponseSchema, spkiOf } from "@mosaicstack/federation-protocol";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { auditOf } from "./audit.ts";
import { admin, askNext, callWith, DAY_MS, HOUR_MS, join, outcomeOf, redeemInvite, renew } from "./renewing-peer.ts";
import { type ServingGateway, startServingGateway } from "./serving-gateway.ts";

const { federationCertificates, federationGrants, users } = schema;
let gateway: ServingGateway;

beforeAll(async () => {
  gateway = await startServingGateway();
});
beforeEach(() => gateway.setClockRight());
afterAll(() => gateway.stop());

async function grantRow(id: string) {
  const [row] = await gateway.store.db.select().from(federationGrants).where(eq(federationGrants.id, id));
  if (row === undefined) throw new Error("no grant");
  return row;
}

describe("a renewal", () => {
  test("gives a certificate of the new key, one generation on, for as long as an enrollment does", async () => {
    const peer = await join(gateway);
    gateway.advance(4 * DAY_MS);
    const { answer, own } = await askNext(gateway, peer.keys);
    expect(answer.status).toBe(200);
    const response = renewalResponseSchema.parse(answer.json);
    const certificate = new X509Certificate(response.certificate);
    expect(spkiOf(certificate)).toBe(own.spkiSha256);
    expect(response).toMatchObject({ generation: 2, endpoint: `https://127.0.0.1:${gateway.port}`, chain: [] });
    const life = new Date(certificate.validTo).getTime() - gateway.clock.now().getTime();
    expect(Math.abs(life - 7 * DAY_MS)).toBeLessThan(30_000);
    const [from, until] = [response.renew.from, response.renew.until].map((text) => Date.parse(text));
    const ahead = [from, until].map((at = 0) => Math.round((10 * (at - gateway.clock.now().getTime())) / DAY_MS) / 10);
    expect(ahead).toEqual([3.5, 4.6]);
    expect(await grantRow(peer.grantId)).toMatchObject({ generation: 2, generationSpki: own.spkiSha256 });
    const audit = await auditOf(gateway.store, peer.grantId, "renewal");
    expect(audit.map(({ outcome, serial }) => [outcome, serial])).toEqual([
      ["ok", certificate.serialNumber.toLowerCase().replace(/^0+/, "")],
    ]);
  });

  test("ends with its grant, where that ends sooner", async () => {
    const end = new Date(Date.now() + 3 * DAY_MS);
    const { answer } = await askNext(gateway, (await join(gateway, end)).keys);
    const notAfter = new Date(new X509Certificate(String(answer.json["certificate"])).validTo);
    expect(end.getTime() - notAfter.getTime()).toBeGreaterThanOrEqual(0);
    expect(end.getTime() - notAfter.getTime()).toBeLessThan(1000);
  });

  test("leaves the old certificate good until the new one is used, and 60 s more; no socket is cut by it", async () => {
    const peer = await join(gateway);
    const old = gateway.agent(peer.keys);
    const askOld = () => outcomeOf(gateway, () => gateway.ask(old, "capabilities", {}));
    expect(await askOld()).toBe("200");
    const next = await renew(gateway, peer.keys);
    gateway.advance(HOUR_MS);
    expect(await askOld()).toBe("200");
    const sockets = gateway.liveSockets.count(peer.grantId);

    expect(await callWith(gateway, next)).toBe("200");
    expect(gateway.liveSockets.count(peer.grantId)).toBe(sockets + 1);
    expect(await askOld()).toBe("200");
    gateway.advance(59_000);
    expect([await askOld(), await callWith(gateway, peer.keys)]).toEqual(["200", "200"]);
    gateway.advance(2_000);
    expect([await askOld(), await callWith(gateway, peer.keys)]).toEqual(Array(2).fill("certificate_superseded"));
    expect(await callWith(gateway, next)).toBe("200");
  });

  test("that is not used is superseded with all the others, by the first use of whatever follows", async () => {
    const peer = await join(gateway);
    const unused = await renew(gateway, peer.keys);
    const newest = await redeemInvite(gateway, (await gateway.grants.invite(admin, peer.grantId)).url);
    expect(await callWith(gateway, newest.keys)).toBe("200");
    gateway.advance(61_000);
    const { grantId, generation } = federationCertificates;
    const rows = await gateway.store.db
      .select()
      .from(federationCertificates)
      .where(eq(grantId, peer.grantId))
      .orderBy(generation);
    expect(rows.map(({ supersededAt, confirmedAt }) => [supersededAt === null, confirmedAt === null])).toEqual([
      [false, false],
      [false, true],
      [true, false],
    ]);
    expect(await callWith(gateway, unused)).toBe("certificate_superseded");
    expect(await callWith(gateway, peer.keys)).toBe("certificate_superseded");
  });

  test("follows what became of the scope", async () => {
    const peer = await join(gateway);
    const next = await renew(gateway, peer.keys);
    const scope = { resources: ["notes"], include_personal: true };
    await gateway.store.db.update(federationGrants).set({ scope }).where(eq(federationGrants.id, peer.grantId));
    const { json } = await gateway.ask(gateway.agent(next), "capabilities", {});
    expect((json["resources"] as { name: string }[]).map(({ name }) => name)).toEqual(["notes"]);
  });
});

describe("is refused", () => {
  const codeFor = async (keys: { cert: string; key: string }, body: unknown): Promise<string> =>
    await outcomeOf(gateway, () => gateway.ask(gateway.agent(keys), RENEWAL_PATH, body));

  test.each([
    ["no member", {}],
    ["one too many", { csr: "x", not_after: "2099-01-01" }],
    ["a request of 9 kB", { csr: "x".repeat(9000) }],
  ])("request_malformed: %s", async (_name, body) => {
    expect(await codeFor((await join(gateway)).keys, body)).toBe("request_malformed");
  });

  test("signing_request_invalid: no signing request, and nothing is claimed", async () => {
    const peer = await join(gateway);
    expect(await codeFor(peer.keys, { csr: "nonsense" })).toBe("signing_request_invalid");
    expect((await grantRow(peer.grantId)).generation).toBe(1);
    expect((await auditOf(gateway.store, peer.grantId, "renewal")).map(({ outcome }) => outcome)).toEqual([
      "signing_request_invalid",
    ]);
  });

  test("signing_request_invalid: its own key again, and a key of another grant's certificate", async () => {
    const [peer, other] = [await join(gateway), await join(gateway)];
    expect(await codeFor(peer.keys, { csr: peer.own.csrPem })).toBe("signing_request_invalid");
    expect(await codeFor(peer.keys, { csr: other.own.csrPem })).toBe("signing_request_invalid");
    expect((await grantRow(peer.grantId)).generation).toBe(1);
  });

  test("grant_unknown: the subject is gone", async () => {
    const peer = await join(gateway);
    await gateway.store.db.delete(users).where(eq(users.id, (await grantRow(peer.grantId)).subjectUserId));
    expect(await codeFor(peer.keys, { csr: (await createSigningRequest()).csrPem })).toBe("grant_unknown");
  });

  test("grant_suspended, and once resumed it goes on", async () => {
    const peer = await join(gateway);
    const set = { status: "suspended" } as const;
    await gateway.store.db.update(federationGrants).set(set).where(eq(federationGrants.id, peer.grantId));
    const own = await createSigningRequest();
    expect(await codeFor(peer.keys, { csr: own.csrPem })).toBe("grant_suspended");
    await gateway.store.db
      .update(federationGrants)
      .set({ status: "active" })
      .where(eq(federationGrants.id, peer.grantId));
    expect(await codeFor(peer.keys, { csr: own.csrPem })).toBe("200");
  });

  test("grant_revoked: revoked in the database while a connection is open", async () => {
    const peer = await join(gateway);
    const agent = gateway.agent(peer.keys);
    expect((await gateway.ask(agent, "capabilities", {})).status).toBe(200);
    const set = { status: "revoked", revokedAt: new Date() } as const;
    await gateway.store.db.update(federationGrants).set(set).where(eq(federationGrants.id, peer.grantId));
    const ask = async () => gateway.ask(agent, RENEWAL_PATH, { csr: (await createSigningRequest()).csrPem });
    expect(await outcomeOf(gateway, ask)).toBe("grant_revoked");
  });

  test("grant_expired: the grant has less than a minute left", async () => {
    const peer = await join(gateway, new Date(Date.now() + HOUR_MS));
    gateway.advance(HOUR_MS - 30_000);
    expect(await codeFor(peer.keys, { csr: (await createSigningRequest()).csrPem })).toBe("grant_expired");
  });

  test("certificate_superseded: the peer was enrolled anew; its older holder is late, and no clone", async () => {
    const peer = await join(gateway);
    const { url } = await gateway.grants.invite(admin, peer.grantId);
    const newer = await redeemInvite(gateway, url);
    expect(await codeFor(peer.keys, { csr: (await createSigningRequest()).csrPem })).toBe("certificate_superseded");
    await renew(gateway, await renew(gateway, newer.keys));
    expect(await codeFor(peer.keys, { csr: (await createSigningRequest()).csrPem })).toBe("certificate_superseded");
    expect((await grantRow(peer.grantId)).status).toBe("active");
  });

  test("rate_limited: more than 60 attempts with a certificate in a minute, of which no more are recorded", async () => {
    const peer = await join(gateway);
    const agent = gateway.agent(peer.keys);
    for (let index = 0; index < 60; index += 1) await gateway.ask(agent, RENEWAL_PATH, { csr: "nonsense" });
    const { status, json, headers } = await gateway.ask(agent, RENEWAL_PATH, { csr: "nonsense" });
    expect([status, json["code"]]).toEqual([429, "rate_limited"]);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    expect(await auditOf(gateway.store, peer.grantId, "renewal")).toHaveLength(60);
    expect(await callWith(gateway, (await join(gateway)).keys)).toBe("200");
  });
});

describe("with a least interval of a minute", () => {
  let hurried: ServingGateway;
  beforeAll(async () => {
    hurried = await startServingGateway({ leastIntervalMs: 60_000 });
  });
  beforeEach(() => hurried.setClockRight());
  afterAll(() => hurried.stop());

  test("rate_limited: a second certificate within it; the same request again is none", async () => {
    const peer = await join(hurried);
    const early = await askNext(hurried, peer.keys);
    expect([early.answer.status, early.answer.json["code"]]).toEqual([429, "rate_limited"]);
    expect(Number(early.answer.headers["retry-after"])).toBeLessThanOrEqual(60);
    hurried.advance(61_000);
    const next = await askNext(hurried, peer.keys, early.own);
    const again = await askNext(hurried, peer.keys, early.own);
    expect([next.answer.status, again.answer.json["certificate"]]).toEqual([200, next.answer.json["certificate"]]);
    expect((await askNext(hurried, next.keys)).answer.status).toBe(429);
  });

  test("a clock that was set back keeps nobody waiting until it has caught up", async () => {
    const peer = await join(hurried);
    await hurried.store.db
      .update(federationCertificates)
      .set({ issuedAt: new Date(Date.now() + DAY_MS) })
      .where(eq(federationCertificates.grantId, peer.grantId));
    expect((await askNext(hurried, peer.keys)).answer.status).toBe(200);
  });
});
