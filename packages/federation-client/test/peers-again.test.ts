import { fingerprintOf } from "@mosaicstack/federation-protocol";
import { answerJson, createScriptedAuthority, openTestStore, startScriptedPeer } from "@mosaicstack/harness";
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

const add = (name?: string) => scene.peers.add(scene.ada, scene.gateway.invite(), name);
const peer = () => scene.peers.get(scene.ada, "work");

describe("a new invite for the grant of a peer there is", () => {
  test("gives that peer a new certificate: it keeps its name, its id and its age, and there is no second one", async () => {
    const first = await add("work");
    const again = await add();
    expect(again).toMatchObject({
      id: first.id,
      name: "work",
      generation: 2,
      createdAt: first.createdAt,
      state: "active",
    });
    expect(await scene.peers.list(scene.ada)).toHaveLength(1);
    expect(await scene.row()).toMatchObject({ previousCertificatePem: null, sealedPreviousKey: null });
    await scene.restart();
    expect(await codeOf(scene.ask())).toBe("ok");
    expect(scene.gateway.queries.at(-1)!.serial).toBe(scene.gateway.grant().certificates[1]!.serial);
  });

  test("brings an expired peer back", async () => {
    const { id } = await add("work");
    scene.advance(9 * DAY_MS);
    await scene.peers.renewDuePeers();
    expect(await peer()).toMatchObject({ state: "expired" });
    expect(await add()).toMatchObject({ id, name: "work", state: "active", renewError: null });
    expect(await codeOf(scene.ask())).toBe("ok");
  });

  test("whose first use fails goes on with the same invite, and reads on meanwhile", async () => {
    const { id } = await add("work");
    const invite = scene.gateway.invite();
    scene.gateway.onQuery = (_request, response) => answerJson(response, {}, 503);
    expect(await codeOf(scene.peers.add(scene.ada, invite))).toBe("peer_failing");
    scene.gateway.onQuery = undefined;
    expect(await codeOf(scene.ask())).toBe("ok");
    expect(await scene.peers.add(scene.ada, invite)).toMatchObject({ id, generation: 2, state: "active" });
    expect(await scene.row()).toMatchObject({ previousCertificatePem: null });
  });

  test("of another gateway that names the same grant makes a peer of its own: the pin tells them apart", async () => {
    await add("work");
    const impostor = await startScriptedPeer();
    impostor.grantId = scene.gateway.grantId;
    await scene.peers.add(scene.ada, impostor.invite(), "impostor");
    expect((await scene.peers.list(scene.ada)).map(({ name, generation }) => [name, generation])).toEqual([
      ["impostor", 1],
      ["work", 1],
    ]);
    await impostor.stop();
  });
});

describe("checking an invite", () => {
  test("reaches its gateway, checks pin and clock, and redeems nothing", async () => {
    const invite = scene.gateway.invite();
    expect(await scene.peers.check(invite)).toEqual({
      enrollUrl: scene.gateway.enrollUrl,
      caFingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      trustedBy: "pinned-root",
      clockSkewSeconds: expect.closeTo(0, -1),
    });
    expect(scene.gateway.enrollments).toEqual([]);
    expect(await scene.peers.list(scene.ada)).toEqual([]);
    expect(await scene.peers.add(scene.ada, invite)).toMatchObject({ state: "active" });
  });

  test("with another pin is ca_pin_mismatch", async () => {
    const { rootPem } = await createScriptedAuthority();
    const invite = scene.gateway.invite().replace(/ca=.*/, `ca=${fingerprintOf(rootPem)}`);
    expect(await codeOf(scene.peers.check(invite))).toBe("ca_pin_mismatch");
  });

  test("of a gateway whose clock is an hour behind is clock_skew, measured in seconds", async () => {
    scene.skewMs = HOUR_MS;
    const problem = await scene.peers.check(scene.gateway.invite()).catch((error: unknown) => error);
    expect(problem).toMatchObject({ code: "clock_skew", details: { skew_seconds: expect.closeTo(-3600, -1) } });
  });

  test("of a gateway that is not there is peer_unreachable, and of no invite invite_malformed", async () => {
    const invite = scene.gateway.invite();
    await scene.gateway.stop();
    expect(await codeOf(scene.peers.check(invite))).toBe("peer_unreachable");
    expect(await codeOf(scene.peers.check("hello"))).toBe("invite_malformed");
  });

  test("over plain HTTP on this machine says that nothing vouches for it but that", async () => {
    const plain = await startScriptedPeer({ enrollmentServer: "plain" });
    expect(await scene.peers.check(plain.invite())).toMatchObject({ trustedBy: "loopback" });
    await plain.stop();
  });
});

describe("an invite is refused by its reason", () => {
  test.each([
    ["expired", "invite_expired", 0],
    ["used", "invite_used", 0],
    ["revoked", "invite_revoked", 0],
    // The same command works once it is resumed.
    ["suspended", "invite_suspended", 1],
    ["anything else", "invite_not_usable", 0],
  ])("%s: %s", async (reason, code, left) => {
    scene.gateway.onEnrollment = (_request, response) =>
      answerJson(response, { code: "enrollment_refused", status: 410, detail: "no", reason }, 410);
    expect(await codeOf(add())).toBe(code);
    expect(await scene.peers.list(scene.ada)).toHaveLength(left);
    expect((await scene.audits()).at(-1)).toMatchObject({ event: "enrollment", outcome: code, actorUserId: scene.ada });
  });
});

describe("a peer's health", () => {
  test("is told at once, and written down once a minute at most, whatever the number of queries", async () => {
    await add("work");
    let writes = 0;
    const { db } = store;
    const counting = new Proxy(db, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (property === "update") writes += 1;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await scene.restart({ db: counting, transaction: (work) => store.transaction(work) });
    for (let query = 0; query < 50; query++) await scene.ask();
    scene.gateway.onQuery = (_request, response) => answerJson(response, {}, 503);
    expect(await codeOf(scene.ask())).toBe("peer_failing");
    expect(await peer()).toMatchObject({
      lastSuccessAt: expect.any(Date),
      lastFailure: "peer_failing",
      lastFailureAt: expect.any(Date),
      lastFailureReason: null,
    });
    expect(writes).toBe(1);
    scene.advance(MINUTE_MS + 1000);
    await codeOf(scene.ask());
    await expect.poll(async () => (await scene.row()).lastFailure).toBe("peer_failing");
    expect(writes).toBe(2);
  });

  test("outlives a restart", async () => {
    await add("work");
    scene.gateway.onQuery = (_request, response) => answerJson(response, {}, 503);
    await codeOf(scene.ask());
    await scene.restart();
    expect(await peer()).toMatchObject({ lastFailure: "peer_failing", lastFailureAt: expect.any(Date) });
  });

  test("is none of an answer that nobody waited for", async () => {
    await add("work");
    scene.gateway.onQuery = () => undefined;
    const [source] = await scene.peers.sourcesOf(scene.ada);
    const unwanted = new AbortController();
    const asked = codeOf(source!.capabilities(unwanted.signal));
    unwanted.abort();
    await asked;
    expect(await peer()).toMatchObject({ lastFailure: null });
  });
});

describe("removing", () => {
  test("a peer needs nothing of the other side, and is written down", async () => {
    await add("work");
    await scene.gateway.stop();
    await scene.peers.remove(scene.ada, "work");
    expect(await scene.peers.list(scene.ada)).toEqual([]);
    expect((await scene.audits()).at(-1)).toMatchObject({
      event: "peer.removed",
      outcome: "ok",
      grantId: scene.gateway.grantId,
    });
  });

  test("a user ends their peers' connections", async () => {
    await add("work");
    await scene.ask();
    expect(scene.gateway.openQuerySockets()).toBeGreaterThan(0);
    scene.peers.forgetUser("somebody else");
    expect(scene.gateway.openQuerySockets()).toBeGreaterThan(0);
    scene.peers.forgetUser(scene.ada);
    await expect.poll(() => scene.gateway.openQuerySockets()).toBe(0);
  });
});

test("another user's peer is not renewed: to them it is not there", async () => {
  await add("work");
  expect(await codeOf(scene.peers.renew("00000000-0000-7000-8000-000000000000", "work"))).toBe("peer_not_found");
  expect(scene.gateway.renewals).toEqual([]);
});
