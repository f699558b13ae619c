import { openTestStore } from "@mosaicstack/harness";
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

/** Runs the job each minute for so long. */
async function live(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await scene.peers.renewDuePeers();
    scene.advance(MINUTE_MS);
  }
}

describe.each([
  ["5 min ahead", 5 * MINUTE_MS, { generation: 2, renewError: null }, 1],
  // The new certificate begins in this gateway's future, by more than is forgiven: told, and fit for use minutes later.
  ["5 min behind", -5 * MINUTE_MS, { generation: 1, renewError: "clock_skew" }, 4],
])("sharp edge 9: this gateway's clock is %s", (_what, skewMs, atFirst, mostAttempts) => {
  test("a certificate of a day is renewed once; a skew that keeps it from being used at once is told; no loop", async () => {
    scene.gateway.lifetimeMs = DAY_MS;
    await add();
    scene.skewMs = skewMs;
    const { renewAt } = await scene.row();
    scene.advance(renewAt!.getTime() - scene.now().getTime() + 1000);
    await live(1);
    expect(await peer()).toMatchObject(atFirst);
    expect(await codeOf(scene.ask())).toBe("ok");
    await live(30);
    expect(await peer()).toMatchObject({ generation: 2, renewError: null, state: "active" });
    expect(scene.gateway.renewals.length).toBeLessThanOrEqual(mostAttempts);
    expect(await codeOf(scene.ask())).toBe("ok");
    expect(scene.gateway.grant()).toMatchObject({ generation: 2, status: "active" });
  });
});

describe("sharp edge 9: this gateway's clock is 2 days ahead", () => {
  test("a certificate of a day seems over: clock_skew with its measure, few attempts, and recovery once the clock is right", async () => {
    scene.gateway.lifetimeMs = DAY_MS;
    await add();
    scene.skewMs = 2 * DAY_MS;
    await expect(scene.peers.renew(scene.ada, "work")).rejects.toMatchObject({
      code: "clock_skew",
      message: "This gateway's clock is 2 days ahead of the peer's.",
      details: { skew_seconds: expect.closeTo(-2 * 86_400, -1) },
    });
    expect(await peer()).toMatchObject({ renewError: "clock_skew", generation: 1 });
    expect(await codeOf(scene.ask())).toBe("clock_skew");
    await live(60);
    expect(scene.gateway.renewals.length).toBeLessThan(15);
    expect(scene.gateway.grant()).toMatchObject({ generation: 2, status: "active" });
    scene.skewMs = 0;
    await live(2);
    expect(await peer()).toMatchObject({ state: "active", generation: 2, renewError: null });
    expect(await codeOf(scene.ask())).toBe("ok");
    expect(scene.gateway.clones).toBe(0);
  });

  test("a certificate of a week is renewed no more often than once an hour", async () => {
    await add();
    scene.skewMs = 2 * DAY_MS;
    await live(180);
    expect(scene.gateway.renewals.length).toBeLessThanOrEqual(1);
    expect(await codeOf(scene.ask())).toBe("ok");
  });

  test("while the peer cannot be reached the certificate is expired; once the clock is right it is found good", async () => {
    scene.gateway.lifetimeMs = DAY_MS;
    await add();
    scene.skewMs = 2 * DAY_MS + HOUR_MS;
    scene.gateway.onRenewal = (_request, response) => response.destroy();
    scene.gateway.onCrl = (_request, response) => response.destroy();
    await live(2);
    expect(await peer()).toMatchObject({ state: "expired", renewAt: null });
    scene.gateway.onRenewal = undefined;
    await live(5);
    expect(scene.gateway.renewals).toEqual([]);
    scene.skewMs = 0;
    await live(2);
    expect(await peer()).toMatchObject({ state: "active", generation: 2, renewError: null });
  });
});

test("sharp edge 9: this gateway's clock is 2 days behind: clock_skew, and recovery", async () => {
  await add();
  scene.skewMs = -2 * DAY_MS;
  await expect(scene.peers.renew(scene.ada, "work")).rejects.toMatchObject({
    code: "clock_skew",
    details: { skew_seconds: expect.closeTo(2 * 86_400, -1) },
  });
  scene.skewMs = 0;
  scene.advance(40 * MINUTE_MS);
  await live(1);
  expect(await peer()).toMatchObject({ state: "active", generation: 2, renewError: null });
  expect(scene.gateway.clones).toBe(0);
});

test("sharp edge 9: the peer's clock is 2 days ahead, by which our certificate is over: clock_skew, and not expired", async () => {
  scene.gateway.lifetimeMs = DAY_MS;
  await add();
  const now = scene.gateway.now;
  scene.gateway.now = () => new Date(now().getTime() + 2 * DAY_MS);
  expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("clock_skew");
  expect(await peer()).toMatchObject({ state: "active", renewError: "clock_skew" });
  scene.gateway.now = now;
  scene.advance(40 * MINUTE_MS);
  await live(1);
  expect(await peer()).toMatchObject({ state: "active", generation: 2 });
});

test("sharp edge 9: 12 h of sleep over the renewal of a certificate of a day: one renewal on waking", async () => {
  scene.gateway.lifetimeMs = DAY_MS;
  await add();
  scene.advance(11 * HOUR_MS);
  await live(1);
  expect(scene.gateway.renewals).toEqual([]);
  scene.advance(12 * HOUR_MS);
  await live(60);
  expect(scene.gateway.renewals).toHaveLength(1);
  expect(await peer()).toMatchObject({ state: "active", generation: 2 });
});
