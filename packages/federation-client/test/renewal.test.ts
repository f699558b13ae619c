import { newId } from "@mosaicstack/foundation";
import { answerJson, createScriptedAuthority, openTestStore } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { codeOf, DAY_MS, HOUR_MS, MINUTE_MS, type Scene, startScene } from "./serving-side/scene.ts";

let store: Store;
let scene: Scene;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());
beforeEach(async () => {
  scene = await startScene(store);
});
afterEach(() => scene.stop());

const add = () => scene.peers.add(scene.ada, scene.gateway.invite(), "work");
const peer = () => scene.peers.get(scene.ada, "work");
const refusing = (code: string, status = 403) =>
  ((_request, response) =>
    answerJson(response, { code, status, detail: "no" }, status)) satisfies typeof scene.gateway.onRenewal;

describe("an enrollment", () => {
  test("stores generation, CRL address and a moment within the peer's window, evenly chosen", async () => {
    scene.random = () => 0.25;
    await add();
    const row = await scene.row();
    expect(row).toMatchObject({ generation: 1, crlUrl: scene.gateway.crlUrl, renewError: null, renewAttempts: 0 });
    const [issued] = scene.gateway.grant().certificates;
    const [start, life] = [issued!.notBefore.getTime(), issued!.notAfter.getTime() - issued!.notBefore.getTime()];
    expect(Math.abs(row.renewAt!.getTime() - (start + life / 2 + (life / 6 - HOUR_MS) / 4))).toBeLessThan(1000);
    expect(await scene.audits()).toMatchObject([
      { side: "querying", event: "enrollment", outcome: "ok", serial: issued!.serial, peerId: row.id },
      { side: "querying", event: "certificate.confirmed", outcome: "ok", serial: issued!.serial },
    ]);
  });

  test("of a peer whose window comes later leaves a third of the certificate's life all the same", async () => {
    const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
    scene.gateway.alterAnswer = (answer) => ({ ...answer, renew: { from: inDays(6), until: inDays(6.5) } });
    await add();
    const { renewAt, notAfter } = await scene.row();
    const leftMs = notAfter!.getTime() - scene.now().getTime();
    expect(Math.abs(notAfter!.getTime() - renewAt!.getTime() - leftMs / 3)).toBeLessThan(MINUTE_MS);
  });

  test("under an intermediate stores its chain, presents it, and renews under it", async () => {
    await scene.stop();
    scene = await startScene(store, {
      authority: await createScriptedAuthority("With one between", { intermediate: true }),
    });
    await add();
    expect((await scene.row()).chainPem).toHaveLength(1);
    expect(await scene.peers.renew(scene.ada, "work")).toMatchObject({ generation: 2 });
    expect(await codeOf(scene.ask())).toBe("ok");
  });
});

describe("a renewal", () => {
  test("happens at its moment and not before, with a new key, and the previous pair is forgotten once the new one worked", async () => {
    await add();
    const before = await scene.row();
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
    scene.advance(before.renewAt!.getTime() - scene.now().getTime() + 1000);
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 1, failed: 0 });
    const after = await scene.row();
    expect(after).toMatchObject({
      state: "active",
      generation: 2,
      sealedNextKey: null,
      sealedPreviousKey: null,
      previousCertificatePem: null,
      previousNotAfter: null,
    });
    expect(after.certificatePem).not.toBe(before.certificatePem);
    expect(after.renewAt!.getTime()).toBeGreaterThan(scene.now().getTime() + DAY_MS);
    const [first, second] = scene.gateway.grant().certificates;
    expect(second!.spki).not.toBe(first!.spki);
    expect(first!.supersededAt).toBeDefined();
    await scene.ask();
    expect(scene.gateway.queries.at(-1)!.serial).toBe(second!.serial);
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
    const audits = (await scene.audits()).map(({ event, outcome, serial }) => [event, outcome, serial]);
    expect(audits).toContainEqual(["renewal", "ok", second!.serial]);
    expect(audits).toContainEqual(["certificate.confirmed", "ok", second!.serial]);
  });

  test("stores its sealed key before it asks, and each key opens in its own column only", async () => {
    await add();
    let asked: Awaited<ReturnType<Scene["row"]>> | undefined;
    scene.gateway.onRenewal = (_request, response) => {
      void scene.row().then((row) => {
        asked = row;
        response.destroy();
      });
    };
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_unreachable");
    expect(asked!.sealedNextKey).toMatch(/^v1\./);
    expect(asked!.sealedNextKey).not.toBe(asked!.sealedKey);
  });

  test("whose answer is lost is asked for with the same key, and gets the same certificate", async () => {
    await add();
    scene.gateway.losesRenewal = true;
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_unreachable");
    expect(await codeOf(scene.ask())).toBe("ok");
    scene.gateway.losesRenewal = false;
    scene.advance(3 * MINUTE_MS);
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 1, failed: 0 });
    expect(new Set(scene.gateway.renewals.map(({ spki }) => spki)).size).toBe(1);
    expect(scene.gateway.grant()).toMatchObject({ status: "active", generation: 2, certificates: [{}, {}] });
  });

  test("that two ask for at once is made once", async () => {
    await add();
    const both = await Promise.all([scene.peers.renew(scene.ada, "work"), scene.peers.renew(scene.ada, "work")]);
    expect(both).toMatchObject([{ generation: 2 }, { generation: 2 }]);
    expect(scene.gateway.grant().generation).toBe(2);
  });

  test("of a key that is void asks for another one", async () => {
    await add();
    scene.gateway.onRenewal = refusing("grant_changed", 409);
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("grant_changed");
    expect((await scene.row()).sealedNextKey).toBeNull();
    scene.gateway.onRenewal = undefined;
    expect(await scene.peers.renew(scene.ada, "work")).toMatchObject({ generation: 2 });
  });
});

describe("an answer to a renewal is refused, and the pair in use stays", () => {
  async function expectRefused(detail: RegExp): Promise<void> {
    const before = await scene.row();
    await expect(scene.peers.renew(scene.ada, "work")).rejects.toThrow(detail);
    expect(await scene.row()).toMatchObject({ certificatePem: before.certificatePem, generation: 1, state: "active" });
    expect(await codeOf(scene.ask())).toBe("ok");
  }

  test("when the certificate names another grant", async () => {
    await add();
    scene.gateway.certificateWishes = { grantId: newId() };
    await expectRefused(/another grant/);
  });

  test("when the certificate names another subject", async () => {
    await add();
    scene.gateway.certificateWishes = { subjectUserId: newId() };
    await expectRefused(/another subject/);
  });

  test("when the certificate is good for a server too", async () => {
    await add();
    scene.gateway.certificateWishes = { usages: ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"] };
    await expectRefused(/client authentication alone/);
  });

  test("when the certificate lives longer than any gateway may issue", async () => {
    await add();
    scene.gateway.certificateWishes = { notAfter: new Date(Date.now() + 400 * DAY_MS) };
    await expectRefused(/longer/);
  });

  test("when the certificate is for another key: the one in use, given again", async () => {
    await add();
    const { certificatePem } = await scene.row();
    scene.gateway.alterRenewal = (answer) => ({ ...answer, certificate: certificatePem! });
    await expectRefused(/another key/);
  });

  test("when the certificate is of another CA", async () => {
    await add();
    const other = await createScriptedAuthority();
    scene.gateway.alterRenewal = (answer) => ({ ...answer, chain: [other.rootPem] });
    await expectRefused(/not signed/);
  });

  test("when the generation is not a later one", async () => {
    await add();
    scene.gateway.alterRenewal = (answer) => ({ ...answer, generation: 1 });
    await expectRefused(/later generation/);
  });

  test("when the address for queries is no https:// address", async () => {
    await add();
    scene.gateway.alterRenewal = (answer) => ({ ...answer, endpoint: "http://localhost:1" });
    await expectRefused(/https:/);
  });
});

describe("a new pair", () => {
  test("that is refused for no lasting reason gives way to the previous one; the same key is asked for again", async () => {
    await add();
    const { certificatePem } = await scene.row();
    scene.gateway.onQuery = (_request, response) => response.destroy();
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_unreachable");
    scene.gateway.onQuery = undefined;
    expect(await scene.row()).toMatchObject({ certificatePem, generation: 1, sealedNextKey: expect.any(String) });
    expect(await codeOf(scene.ask())).toBe("ok");
    expect(scene.gateway.queries.at(-1)!.serial).toBe(scene.gateway.grant().certificates[0]!.serial);
    scene.advance(4 * MINUTE_MS);
    await scene.peers.renewDuePeers();
    expect(await scene.row()).toMatchObject({
      generation: 2,
      state: "active",
      previousCertificatePem: null,
      renewError: null,
    });
    expect(scene.gateway.grant()).toMatchObject({ status: "active", generation: 2, certificates: [{}, {}] });
    expect(await codeOf(scene.ask())).toBe("ok");
  });

  test("that was confirmed after all, while the previous is refused, is taken up again", async () => {
    await add();
    // The first use is served, and its answer lost.
    scene.gateway.onQuery = (_request, response) => {
      const [old, fresh] = scene.gateway.grant().certificates;
      if (fresh !== undefined) old!.supersededAt = 0;
      response.destroy();
    };
    await codeOf(scene.peers.renew(scene.ada, "work"));
    scene.gateway.onQuery = undefined;
    expect((await scene.row()).generation).toBe(1);
    expect(await codeOf(scene.ask())).toBe("certificate_superseded");
    scene.advance(4 * MINUTE_MS);
    await scene.peers.renewDuePeers();
    scene.advance(4 * MINUTE_MS);
    await scene.peers.renewDuePeers();
    expect(await scene.row()).toMatchObject({ generation: 2, state: "active", previousCertificatePem: null });
    expect(await codeOf(scene.ask())).toBe("ok");
    expect(scene.gateway.clones).toBe(0);
  });

  test("that could not be confirmed while the peer was away is confirmed later, and not asked for again", async () => {
    await add();
    scene.gateway.onQuery = (_request, response) => answerJson(response, {}, 503);
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_failing");
    scene.gateway.onQuery = undefined;
    scene.advance(4 * MINUTE_MS);
    await scene.peers.renewDuePeers();
    const row = await scene.row();
    expect(row).toMatchObject({ generation: 2, previousCertificatePem: null, renewError: null });
    expect(row.renewAt!.getTime()).toBeGreaterThan(scene.now().getTime() + DAY_MS);
    expect(scene.gateway.renewals).toHaveLength(1);
  });
});

describe("a renewal that fails", () => {
  test("is tried again after a minute at the soonest, each time later; after three the peer is degraded, and well again on success", async () => {
    await add();
    scene.gateway.onRenewal = (_request, response) => answerJson(response, {}, 503);
    scene.random = () => 0;
    scene.advance(5 * DAY_MS);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const at = scene.now().getTime();
      expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 1 });
      const row = await scene.row();
      expect(row).toMatchObject({ renewAttempts: attempt, renewError: "peer_failing" });
      expect(row.renewAt!.getTime() - at).toBeGreaterThanOrEqual(MINUTE_MS);
      expect(row.state).toBe(attempt < 3 ? "active" : "degraded");
      scene.advance(30_000);
      expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
      scene.advance(31_000);
    }
    expect(scene.alerts).toMatchObject([{ from: "active", to: "degraded", code: "peer_failing", name: "work" }]);
    expect(await peer()).toMatchObject({
      state: "degraded",
      degradedSince: expect.any(Date),
      renewError: "peer_failing",
    });
    expect(await codeOf(scene.ask())).toBe("ok");
    scene.gateway.onRenewal = undefined;
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "active", degradedSince: null, renewError: null, generation: 2 });
    expect(scene.alerts.at(-1)).toMatchObject({ from: "degraded", to: "active", code: null });
  });

  test("with less than a sixth of the certificate's life left degrades the peer at once", async () => {
    await add();
    scene.gateway.onRenewal = (_request, response) => answerJson(response, {}, 503);
    scene.advance(6 * DAY_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "degraded" });
  });

  test("because somebody pressed for it too soon counts for nothing", async () => {
    await add();
    const before = await scene.row();
    scene.gateway.onRenewal = (_request, response) => answerJson(response, {}, 429);
    for (let press = 0; press < 4; press += 1) {
      expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_rate_limited");
    }
    const { renewAt, renewAttempts, state } = await scene.row();
    expect({ renewAt, renewAttempts, state }).toEqual({ renewAt: before.renewAt, renewAttempts: 0, state: "active" });
    // Once it is due, it is an attempt like any other.
    scene.advance(5 * DAY_MS);
    await scene.peers.renewDuePeers();
    expect(await scene.row()).toMatchObject({ renewAttempts: 1, renewError: "peer_rate_limited" });
  });

  test("because the grant is revoked ends it: revoked, written down, asked no more", async () => {
    await add();
    scene.gateway.grant().status = "revoked";
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_revoked");
    expect(await scene.row()).toMatchObject({ state: "revoked", renewAt: null });
    expect((await scene.audits()).at(-1)).toMatchObject({
      event: "peer.revoked",
      reason: "grant_revoked",
      side: "querying",
    });
    const asked = scene.gateway.renewals.length;
    scene.advance(30 * DAY_MS);
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_revoked");
    expect(scene.gateway.renewals).toHaveLength(asked);
  });

  test("because the grant is suspended stops asking, until a query shows that it is resumed", async () => {
    await add();
    scene.advance(5 * DAY_MS);
    scene.gateway.grant().status = "suspended";
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({
      state: "degraded",
      renewAt: null,
      renewError: "grant_suspended",
      warning: { code: "peer_degraded", remedy: "Ask its administrator to resume the grant." },
    });
    scene.advance(DAY_MS);
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
    expect(scene.gateway.renewals).toHaveLength(1);
    scene.gateway.grant().status = "active";
    await scene.ask();
    await expect.poll(async () => (await scene.row()).renewAt).not.toBeNull();
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "active", generation: 2 });
  });

  test("because the grant has expired ends it: expired", async () => {
    await add();
    scene.gateway.grant().status = "expired";
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("grant_expired");
    expect(await peer()).toMatchObject({ state: "expired", renewAt: null, renewError: "grant_expired" });
  });

  test.each(["grant_unknown", "certificate_superseded"])("for good (%s) stops asking", async (code) => {
    await add();
    scene.gateway.onRenewal = refusing(code);
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe(code);
    expect(await peer()).toMatchObject({ state: "degraded", renewAt: null, renewError: code });
    scene.advance(9 * DAY_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "expired", renewError: code });
  });
});

describe("sharp edge 11: an expired certificate, client half", () => {
  test("is renewed within a day of its end", async () => {
    await add();
    scene.advance(7 * DAY_MS + 23 * HOUR_MS);
    expect(await codeOf(scene.ask())).toBe("peer_expired");
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 1, failed: 0 });
    expect(await peer()).toMatchObject({ state: "active", generation: 2 });
    expect(await codeOf(scene.ask())).toBe("ok");
  });

  test("beyond it is expired, and a new invite gives the peer its place back", async () => {
    const { id } = await add();
    scene.advance(8 * DAY_MS + HOUR_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "expired", renewAt: null, renewError: "grant_expired" });
    expect(await scene.peers.renewDuePeers()).toEqual({ renewed: 0, failed: 0 });
    expect(await scene.peers.add(scene.ada, scene.gateway.invite())).toMatchObject({
      id,
      name: "work",
      state: "active",
    });
    expect(await codeOf(scene.ask())).toBe("ok");
  });

  test("of a revoked grant is revoked", async () => {
    await add();
    scene.advance(7 * DAY_MS + HOUR_MS);
    scene.gateway.grant().status = "revoked";
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "revoked" });
  });
});
