import { X509Certificate } from "node:crypto";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import { Problem } from "@mosaicstack/foundation";
import {
  createSigningRequest,
  readCertificateIdentity,
  serialOf,
  signingRequestFor,
} from "@mosaicstack/federation-protocol";
import { schema, type Store } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { serialOfGrant } from "../src/index.ts";
import type { IdentifiedPeer } from "../src/peer-identity.ts";
import { auditOf } from "./audit.ts";
import { admin, askNext, callWith, DAY_MS, HOUR_MS, join, outcomeOf, redeemInvite, renew } from "./renewing-peer.ts";
import { inviteOf, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

const { federationCertificates, federationGrants, federationRevocations } = schema;
const scope = { resources: ["tasks"], include_personal: true };

let gateway: ServingGateway;
/** What the CA does before and after it signs. */
let beforeSigning: () => Promise<void>;
let afterSigning: () => Promise<void>;

beforeAll(async () => {
  gateway = await startServingGateway({
    authority: (own): CertificateAuthority => ({
      ...own,
      async issue(request) {
        await beforeSigning();
        const issued = await own.issue(request);
        await afterSigning();
        return issued;
      },
    }),
  });
});
beforeEach(() => {
  gateway?.setClockRight();
  beforeSigning = afterSigning = () => Promise.resolve();
});
afterAll(() => gateway.stop());
beforeSigning = afterSigning = () => Promise.resolve();

async function grantRow(id: string) {
  const [row] = await gateway.store.db.select().from(federationGrants).where(eq(federationGrants.id, id));
  if (row === undefined) throw new Error("no grant");
  return row;
}

async function certificatesOf(grantId: string) {
  const { grantId: grant, generation } = federationCertificates;
  return await gateway.store.db.select().from(federationCertificates).where(eq(grant, grantId)).orderBy(generation);
}

async function toldLater(grantId: string): Promise<string[]> {
  const { grantId: grant, serial } = federationRevocations;
  const rows = await gateway.store.db.select({ serial }).from(federationRevocations).where(eq(grant, grantId));
  return rows.map((row) => row.serial).toSorted();
}

async function setGrant(id: string, values: Partial<typeof federationGrants.$inferInsert>): Promise<void> {
  await gateway.store.db.update(federationGrants).set(values).where(eq(federationGrants.id, id));
}

async function newInvite(expiresAt: Date | null = null) {
  const peer = await join(gateway);
  const { subjectUserId } = await grantRow(peer.grantId);
  const input = { name: "home", subject: subjectUserId, scope, expiresAt };
  const { grant, invite } = await gateway.grants.create(admin, input);
  return { id: grant.id, token: inviteOf(invite.url).token };
}

/** A crash in the middle of the transaction that is to record what was signed: everything of it is lost. */
function storeThatDies(): Store {
  let dies = true;
  return {
    ...gateway.store,
    async transaction(work) {
      return await gateway.store.transaction(async (db) => {
        const result = await work(db);
        if (dies) {
          dies = false;
          throw new Error("the process died before the commit");
        }
        return result;
      });
    },
  };
}

/** An answer that comes when the test says so, and what tells that it is awaited. */
function hold(): { held: Promise<void>; wait: () => Promise<void>; release: () => void } {
  let release = (): void => undefined;
  let arrived = (): void => undefined;
  const held = new Promise<void>((resolve) => (arrived = resolve));
  const gate = new Promise<void>((resolve) => (release = resolve));
  return {
    held,
    release,
    wait: () => {
      arrived();
      return gate;
    },
  };
}

/** What the listener makes of a socket with these keys. */
function identified(keys: { cert: string }): IdentifiedPeer {
  const x509 = new X509Certificate(keys.cert);
  const identity = readCertificateIdentity(x509.raw);
  if (identity.kind === "malformed") throw new Error(identity.reason);
  const [notBefore, notAfter] = [new Date(x509.validFrom), new Date(x509.validTo)];
  return { serial: serialOf(x509), raw: x509.raw, notBefore, notAfter, identity };
}

describe("sharp edge 1: lineage", () => {
  test("sharp edge 1: enrolled, renewed twice, revoked: all three certificates are refused, and the CA is told of each", async () => {
    const peer = await join(gateway);
    const second = await renew(gateway, peer.keys);
    const third = await renew(gateway, second);
    const all = [peer.keys, second, third];
    for (const keys of all) expect(await callWith(gateway, keys)).toBe("200");
    await gateway.grants.revoke(admin, peer.grantId);
    for (const keys of all) expect(await callWith(gateway, keys)).toBe("dropped: certificate_revoked");
    const serials = (await certificatesOf(peer.grantId)).map(({ serial }) => serial);
    expect(serials).toHaveLength(3);
    expect(await toldLater(peer.grantId)).toEqual([...serials, serialOfGrant(peer.grantId)].toSorted());
  });

  test("sharp edge 1: revoked while the CA signs a renewal: no usable certificate comes out", async () => {
    const peer = await join(gateway);
    const { held, wait, release } = hold();
    afterSigning = wait;
    const own = await createSigningRequest();
    const asked = gateway.renewal.renew(identified(peer.keys), { csr: own.csrPem }, "request").then(
      () => "renewed",
      (error: unknown) => (error instanceof Problem ? error.code : String(error)),
    );
    await held;
    await gateway.grants.revoke(admin, peer.grantId);
    release();
    expect(await asked).toBe("grant_revoked");
    const rows = await certificatesOf(peer.grantId);
    expect(rows.map(({ revokedAt }) => revokedAt === null)).toEqual([false, false]);
    expect(await toldLater(peer.grantId)).toEqual(
      [...rows.map(({ serial }) => serial), serialOfGrant(peer.grantId)].toSorted(),
    );
    const signed = rows[1]?.pem ?? "";
    expect(await callWith(gateway, { cert: signed, key: own.privateKeyPem })).toBe("dropped: certificate_revoked");
  });

  test("sharp edge 1: suspended while the CA signs: nothing is delivered, and after resuming a new key gets a certificate", async () => {
    const peer = await join(gateway);
    afterSigning = () => setGrant(peer.grantId, { status: "suspended", suspendedAt: new Date() });
    const { answer, own } = await askNext(gateway, peer.keys);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_suspended"]);
    expect((await certificatesOf(peer.grantId)).map(({ revokedAt }) => revokedAt === null)).toEqual([true, false]);
    afterSigning = () => Promise.resolve();
    await setGrant(peer.grantId, { status: "active" });
    const same = await askNext(gateway, peer.keys, own);
    expect([same.answer.status, same.answer.json["code"]]).toEqual([409, "grant_changed"]);
    expect(await callWith(gateway, await renew(gateway, peer.keys))).toBe("200");
    expect((await grantRow(peer.grantId)).status).toBe("active");
  });
});

describe("sharp edge 3: enrollment that breaks off", () => {
  test("sharp edge 3: the answer is lost: the same key gets the same certificate, and it is the only one", async () => {
    const { id, token } = await newInvite();
    const own = await createSigningRequest();
    const lost = await gateway.enrollment.redeem({ protocol: 1, token, csr: own.csrPem });
    const again = await signingRequestFor(own.privateKeyPem);
    expect(await gateway.enrollment.redeem({ protocol: 1, token, csr: again.csrPem })).toEqual(lost);
    expect(await certificatesOf(id)).toHaveLength(1);
  });

  test("sharp edge 3: killed after signing and before the commit: the same key finishes, and no other", async () => {
    const { id, token } = await newInvite();
    const own = await createSigningRequest();
    const body = { protocol: 1, token, csr: own.csrPem };
    await expect(gateway.issuance({ store: storeThatDies() }).enrollment.redeem(body)).rejects.toThrow(/died/);
    expect(await certificatesOf(id)).toEqual([]);
    expect(await grantRow(id)).toMatchObject({ status: "pending", generation: 0 });
    expect(await auditOf(gateway.store, id, "enrollment")).toMatchObject([{ outcome: "serving_failed" }]);
    const other = { ...body, csr: (await createSigningRequest()).csrPem };
    await expect(gateway.enrollment.redeem(other)).rejects.toMatchObject({ code: "enrollment_refused" });
    expect(await gateway.enrollment.redeem(body)).toMatchObject({ generation: 1 });
    expect(await certificatesOf(id)).toHaveLength(1);
  });

  test("sharp edge 3: the CA is down: authority_unavailable, and once it is back the same key finishes", async () => {
    const { id, token } = await newInvite();
    beforeSigning = () =>
      Promise.reject(new Problem("ca_unreachable", { status: 503, title: "Away.", remedy: "Wait." }));
    const body = { protocol: 1, token, csr: (await createSigningRequest()).csrPem };
    await expect(gateway.enrollment.redeem(body)).rejects.toMatchObject({ code: "authority_unavailable", status: 503 });
    beforeSigning = () => Promise.resolve();
    expect(await gateway.enrollment.redeem(body)).toMatchObject({ generation: 1 });
    const outcomes = (await auditOf(gateway.store, id, "enrollment")).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["authority_unavailable", "ok"]);
  });

  test("sharp edge 3: a malformed request claims nothing, and is audited with whose invite it was", async () => {
    const { id, token } = await newInvite();
    const redeemed = gateway.enrollment.redeem({ protocol: 1, token, csr: "nonsense" }, { address: "192.0.2.7" });
    await expect(redeemed).rejects.toMatchObject({ code: "signing_request_invalid" });
    const [entry] = await auditOf(gateway.store, id, "enrollment");
    expect(entry).toMatchObject({ outcome: "signing_request_invalid", details: { address: "192.0.2.7" } });
    expect(JSON.stringify(entry)).not.toContain(token);
    expect(
      await gateway.enrollment.redeem({ protocol: 1, token, csr: (await createSigningRequest()).csrPem }),
    ).toBeTruthy();
  });

  test("sharp edge 3: 20 keys at once: one certificate, 19 refusals, each audited with the reason", async () => {
    const { id, token } = await newInvite();
    const requests = await Promise.all(Array.from({ length: 20 }, () => createSigningRequest()));
    const codes = await Promise.all(
      requests.map(({ csrPem }) =>
        gateway.enrollment.redeem({ protocol: 1, token, csr: csrPem }).then(
          () => "ok",
          (error: unknown) => (error instanceof Problem ? error.code : String(error)),
        ),
      ),
    );
    expect(codes.filter((code) => code === "ok")).toHaveLength(1);
    expect(await certificatesOf(id)).toHaveLength(1);
    const refusals = (await auditOf(gateway.store, id, "enrollment")).filter(({ outcome }) => outcome !== "ok");
    expect(refusals).toHaveLength(19);
    expect(new Set(refusals.map(({ reason }) => reason))).toEqual(new Set(["the token is claimed by another key"]));
    const winner = requests[codes.indexOf("ok")];
    expect(await gateway.enrollment.redeem({ protocol: 1, token, csr: winner?.csrPem })).toBeTruthy();
  });
});

describe("sharp edge 4: the next renewal follows the grant", () => {
  test("sharp edge 4: shortened: the next certificate ends with it", async () => {
    const peer = await join(gateway);
    const expiresAt = new Date(Date.now() + DAY_MS);
    await setGrant(peer.grantId, { expiresAt });
    await renew(gateway, peer.keys);
    const newest = (await certificatesOf(peer.grantId)).at(-1);
    expect(newest?.notAfter.getTime()).toBeLessThanOrEqual(expiresAt.getTime());
    expect(newest?.notAfter.getTime()).toBeGreaterThan(expiresAt.getTime() - 1000);
  });

  test("sharp edge 4: shortened while the CA signs: the certificate that would outlive it is not delivered", async () => {
    const peer = await join(gateway);
    afterSigning = () => setGrant(peer.grantId, { expiresAt: new Date(Date.now() + DAY_MS) });
    const { answer } = await askNext(gateway, peer.keys);
    expect([answer.status, answer.json["code"]]).toEqual([409, "grant_changed"]);
    expect((await certificatesOf(peer.grantId)).map(({ revokedAt }) => revokedAt === null)).toEqual([true, false]);
    afterSigning = () => Promise.resolve();
    expect((await askNext(gateway, peer.keys)).answer.status).toBe(200);
  });

  test.each([
    ["suspended", "grant_suspended"],
    ["expired", "grant_expired"],
  ] as const)("sharp edge 4: %s: the next renewal is refused as %s", async (status, code) => {
    const peer = await join(gateway);
    await setGrant(peer.grantId, { status });
    expect((await askNext(gateway, peer.keys)).answer.json["code"]).toBe(code);
    expect((await grantRow(peer.grantId)).generation).toBe(1);
  });
});

describe("sharp edge 5: a renewal that breaks off on this side", () => {
  test("sharp edge 5: killed after signing and before the commit: the same key gets its certificate", async () => {
    const peer = await join(gateway);
    const own = await createSigningRequest();
    const died = gateway.issuance({ store: storeThatDies() }).renewal;
    await expect(died.renew(identified(peer.keys), { csr: own.csrPem }, "request")).rejects.toThrow(/died/);
    expect(await certificatesOf(peer.grantId)).toHaveLength(1);
    expect(await callWith(gateway, peer.keys)).toBe("200");
    expect(await callWith(gateway, await renew(gateway, peer.keys, own))).toBe("200");
    expect((await certificatesOf(peer.grantId)).map(({ generation }) => generation)).toEqual([1, 2]);
  });

  test("sharp edge 5: killed while the CA signs, or the CA fails: the same key goes on, the old certificate stays good", async () => {
    const peer = await join(gateway);
    beforeSigning = () => Promise.reject(new Error("the process died"));
    const { answer, own } = await askNext(gateway, peer.keys);
    expect([answer.status, answer.json["code"]]).toEqual([500, "serving_failed"]);
    expect(answer.text).not.toContain("died");
    beforeSigning = () => Promise.resolve();
    expect(await callWith(gateway, peer.keys)).toBe("200");
    expect(await callWith(gateway, await renew(gateway, peer.keys, own))).toBe("200");
  });

  test("sharp edge 5: the answer is lost, or asked for many times at once: one certificate", async () => {
    const peer = await join(gateway);
    const own = await createSigningRequest();
    const answers = await Promise.all(Array.from({ length: 5 }, () => askNext(gateway, peer.keys, own)));
    answers.push(await askNext(gateway, peer.keys, await signingRequestFor(own.privateKeyPem)));
    expect(new Set(answers.map(({ answer }) => answer.text)).size).toBe(1);
    expect(answers[0]?.answer.status).toBe(200);
    expect(await certificatesOf(peer.grantId)).toHaveLength(2);
  });
});

describe("sharp edge 6: a cloned key store", () => {
  async function expectCaught(grantId: string): Promise<void> {
    expect(await grantRow(grantId)).toMatchObject({ status: "suspended", suspendedReason: "cloned_key" });
    const audit = await auditOf(gateway.store, grantId);
    expect(audit).toContainEqual(
      expect.objectContaining({ event: "renewal", outcome: "grant_suspended", reason: "cloned_key" }),
    );
    await expect.poll(() => gateway.liveSockets.count(grantId)).toBe(0);
  }

  test("sharp edge 6: the clone asks second: told why, the grant is suspended, every socket is cut", async () => {
    const peer = await join(gateway);
    const honest = gateway.agent(await renew(gateway, peer.keys));
    expect((await gateway.ask(honest, "capabilities", {})).status).toBe(200);
    const { answer } = await askNext(gateway, peer.keys);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_suspended"]);
    await expectCaught(peer.grantId);
    const after = await outcomeOf(gateway, () => gateway.ask(honest, "capabilities", {}));
    expect(["grant_suspended", `dropped: ok`]).toContain(after);
  });

  test("sharp edge 6: the clone asks first, and the honest one is who finds it out", async () => {
    const peer = await join(gateway);
    const clone = await renew(gateway, peer.keys);
    const honest = await askNext(gateway, peer.keys);
    expect(honest.answer.json["code"]).toBe("grant_suspended");
    await expectCaught(peer.grantId);
    expect(await callWith(gateway, clone)).toBe("grant_suspended");
  });

  test("sharp edge 6: the clone comes a day later, when its certificate is long superseded", async () => {
    const peer = await join(gateway);
    expect(await callWith(gateway, await renew(gateway, peer.keys))).toBe("200");
    gateway.advance(DAY_MS);
    expect(await callWith(gateway, peer.keys)).toBe("certificate_superseded");
    expect((await grantRow(peer.grantId)).status).toBe("active");
    expect((await askNext(gateway, peer.keys)).answer.json["code"]).toBe("grant_suspended");
    await expectCaught(peer.grantId);
  });

  test("sharp edge 6: two keys at once: one gets the certificate, the other suspends the grant", async () => {
    const peer = await join(gateway);
    const ask = () =>
      askNext(gateway, peer.keys).then(
        ({ answer }) => answer.json["code"] ?? answer.status,
        () => "cut",
      );
    // Who was first may be cut before it is answered.
    expect(await Promise.all([ask(), ask()])).toContain("grant_suspended");
    await expectCaught(peer.grantId);
    expect((await certificatesOf(peer.grantId)).filter(({ revokedAt }) => revokedAt === null).length).toBeLessThan(3);
  });

  test("sharp edge 6: of ten keys that read the grant at the same moment at most one gets a certificate, and the grant is suspended", async () => {
    const peer = await join(gateway);
    const requests = await Promise.all(Array.from({ length: 10 }, () => createSigningRequest()));
    const outcomes = await Promise.all(
      requests.map(({ csrPem }) =>
        gateway.renewal.renew(identified(peer.keys), { csr: csrPem }, "request").then(
          ({ kind }) => kind,
          (error: unknown) => (error instanceof Problem ? error.code : String(error)),
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === "renewed").length).toBeLessThan(2);
    expect(outcomes).toContain("cloned");
    const others = outcomes.filter((outcome) => outcome !== "renewed" && outcome !== "cloned");
    expect(others.every((outcome) => outcome === "grant_suspended")).toBe(true);
    expect(await grantRow(peer.grantId)).toMatchObject({ status: "suspended", generation: 2 });
    const good = (await certificatesOf(peer.grantId)).filter(({ revokedAt }) => revokedAt === null);
    expect(good.length).toBeLessThanOrEqual(2);
  });

  test("sharp edge 6: an honest retry is no clone: from the old certificate, after the new one was used, late", async () => {
    const peer = await join(gateway);
    const own = await createSigningRequest();
    const next = await renew(gateway, peer.keys, own);
    expect(await renew(gateway, peer.keys, own)).toEqual(next);
    expect(await callWith(gateway, next)).toBe("200");
    expect(await renew(gateway, peer.keys, own)).toEqual(next);
    gateway.advance(HOUR_MS);
    expect(await renew(gateway, peer.keys, own)).toEqual(next);
    expect((await grantRow(peer.grantId)).status).toBe("active");
  });
});

describe("sharp edge 9: clocks", () => {
  test("sharp edge 9: five minutes ahead: nothing happens; five behind: young certificates wait, by name, and recover", async () => {
    const old = await join(gateway);
    await gateway.store.db
      .update(federationCertificates)
      .set({ issuedAt: new Date(Date.now() - DAY_MS) })
      .where(eq(federationCertificates.grantId, old.grantId));
    gateway.advance(5 * 60_000);
    expect(await callWith(gateway, old.keys)).toBe("200");
    gateway.advance(-10 * 60_000);
    expect(await callWith(gateway, old.keys)).toBe("dropped: certificate_not_yet_valid");
    gateway.setClockRight();
    expect(await callWith(gateway, old.keys)).toBe("200");
  });

  test("sharp edge 9: the clock is set back while a connection is open: certificate_not_yet_valid, and nothing is claimed", async () => {
    const peer = await join(gateway);
    const agent = gateway.agent(peer.keys);
    expect((await gateway.ask(agent, "capabilities", {})).status).toBe(200);
    gateway.advance(-2 * DAY_MS);
    const outcome = (verb: string, body: unknown) => outcomeOf(gateway, () => gateway.ask(agent, verb, body));
    expect(await outcome("capabilities", {})).toBe("certificate_not_yet_valid");
    const { csrPem: csr } = await createSigningRequest();
    expect(await outcome("/federation/v1/renew", { csr })).toBe("certificate_not_yet_valid");
    expect((await grantRow(peer.grantId)).generation).toBe(1);
  });

  test("sharp edge 9: two days ahead and back: what was renewed meanwhile waits, and the old certificate goes on", async () => {
    const peer = await join(gateway);
    expect(await callWith(gateway, peer.keys)).toBe("200");
    gateway.advance(2 * DAY_MS);
    const early = await askNext(gateway, peer.keys);
    expect(early.answer.status).toBe(200);
    gateway.setClockRight();
    // The peer's own clock is right: it doesn't take the new one yet, and asks again for the same key.
    const again = await askNext(gateway, peer.keys, early.own);
    expect(again.answer.text).toBe(early.answer.text);
    expect(await callWith(gateway, peer.keys)).toBe("200");
    expect((await certificatesOf(peer.grantId)).map(({ supersededAt }) => supersededAt)).toEqual([null, null]);
    gateway.advance(2 * DAY_MS);
    expect(await callWith(gateway, early.keys)).toBe("200");
  });

  test("sharp edge 9: twelve hours asleep past a certificate's end: it renews by itself", async () => {
    const peer = await join(gateway);
    gateway.advance(7 * DAY_MS + 12 * HOUR_MS);
    expect(await callWith(gateway, await renew(gateway, peer.keys))).toBe("200");
  });
});

describe("sharp edge 11: an expired peer", () => {
  const late = 7 * DAY_MS + 23 * HOUR_MS;

  test("sharp edge 11: within the grace only a renewal is answered, and with its certificate everything is", async () => {
    const peer = await join(gateway);
    gateway.advance(late);
    const agent = gateway.agent(peer.keys);
    const outcome = (verb: string) => outcomeOf(gateway, () => gateway.ask(agent, verb, {}));
    for (const verb of ["capabilities", "list", "get"]) expect(await outcome(verb)).toBe("grant_expired");
    expect(await callWith(gateway, await renew(gateway, peer.keys))).toBe("200");
  });

  test("sharp edge 11: two times in a row, not three; in time once, and it counts anew", async () => {
    const peer = await join(gateway);
    let keys = peer.keys;
    for (let time = 0; time < 2; time += 1) {
      gateway.advance(late);
      keys = await renew(gateway, keys);
    }
    gateway.advance(late);
    const third = await askNext(gateway, keys);
    expect([third.answer.status, third.answer.json["code"]]).toEqual([403, "grant_expired"]);
    expect((await grantRow(peer.grantId)).lateRenewals).toBe(2);

    gateway.advance(-late);
    keys = await renew(gateway, keys);
    gateway.advance(late);
    expect(await callWith(gateway, await renew(gateway, keys))).toBe("200");
    expect((await grantRow(peer.grantId)).lateRenewals).toBe(1);
  });

  test("sharp edge 11: the second late answer is lost: the same key still gets it", async () => {
    const peer = await join(gateway);
    gateway.advance(late);
    const once = await renew(gateway, peer.keys);
    gateway.advance(late);
    const lost = await askNext(gateway, once);
    expect((await askNext(gateway, once, lost.own)).answer.text).toBe(lost.answer.text);
  });

  test("sharp edge 11: beyond the grace it is dropped, and one re-invite keeps the grant", async () => {
    const peer = await join(gateway);
    gateway.advance(8 * DAY_MS + 1000);
    expect(await callWith(gateway, peer.keys)).toBe("dropped: certificate_expired");
    const { url } = await gateway.grants.invite(admin, peer.grantId);
    const anew = await redeemInvite(gateway, url);
    expect(await callWith(gateway, anew.keys)).toBe("200");
    expect(await grantRow(peer.grantId)).toMatchObject({ status: "active", generation: 2, lateRenewals: 0 });
  });

  test("sharp edge 11: the grace ends while a connection is open", async () => {
    const peer = await join(gateway);
    gateway.advance(late);
    const agent = gateway.agent(peer.keys);
    const ask = async () =>
      await gateway.ask(agent, "/federation/v1/renew", { csr: (await createSigningRequest()).csrPem });
    expect(await outcomeOf(gateway, () => gateway.ask(agent, "capabilities", {}))).toBe("grant_expired");
    gateway.advance(2 * HOUR_MS);
    expect(await outcomeOf(gateway, ask)).toBe("grant_expired");
  });

  test.each(["revoked", "suspended", "expired"] as const)(
    "sharp edge 11: %s, then its certificate expired: refused",
    async (status) => {
      const peer = await join(gateway);
      if (status === "revoked") await gateway.grants.revoke(admin, peer.grantId);
      else await setGrant(peer.grantId, { status });
      gateway.advance(late);
      const { answer } = await askNext(gateway, peer.keys).catch(() => ({ answer: undefined }));
      const outcome = answer?.json["code"] ?? gateway.records.at(-1)?.outcome;
      expect(outcome).toBe(
        { revoked: "certificate_revoked", suspended: "grant_suspended", expired: "grant_expired" }[status],
      );
    },
  );
});
