import { X509Certificate } from "node:crypto";
import { newId } from "@mosaicstack/foundation";
import { createSigningRequest, renewalWindow, serialOf } from "@mosaicstack/federation-protocol";
import { openTestStore } from "@mosaicstack/harness";
import { createSealer, schema, type Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { keyBinding } from "../src/peer-key.ts";
import { chooseRenewAt, MAX_RETRY_MS, MIN_RETRY_MS, retryAt } from "../src/renewal-schedule.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, type Scene, startScene } from "./serving-side/scene.ts";

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

/** Random numbers that are the same in each run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function perBin(times: readonly number[], binMs: number): number[] {
  const first = Math.min(...times);
  const bins = Array.from({ length: Math.ceil((Math.max(...times) - first + 1) / binMs) }, () => 0);
  for (const time of times) {
    const bin = Math.floor((time - first) / binMs);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  return bins;
}

test.each([1, 7, 42])(
  "sharp edge 10: 1000 peers enrolled in a minute renew spread over the window: peak ≤ 3 × mean (seed %d)",
  (seed) => {
    const random = seeded(seed);
    const start = Date.UTC(2026, 0, 1);
    const times = Array.from({ length: 1000 }, (_, index) => {
      const now = new Date(start + index * 60);
      const notAfter = new Date(now.getTime() + 7 * DAY_MS);
      return chooseRenewAt(renewalWindow(now, notAfter), { now, notAfter }, random).getTime();
    });
    expect(Math.min(...times)).toBeGreaterThanOrEqual(start + 3.5 * DAY_MS);
    expect(Math.max(...times)).toBeLessThanOrEqual(start + MINUTE_MS + (7 * DAY_MS * 2) / 3 - HOUR_MS);
    const hours = perBin(times, HOUR_MS);
    // The window is a sixth of a week, less an hour: 27 h.
    expect(Math.max(...hours)).toBeLessThanOrEqual((3 * 1000) / 27);
  },
);

test("sharp edge 10: after an outage the next attempts are spread too, none within a minute", () => {
  const random = seeded(3);
  const now = new Date(Date.UTC(2026, 0, 1));
  // After six hours every peer has failed often.
  const times = Array.from({ length: 1000 }, () => retryAt(now, 12, random).getTime() - now.getTime());
  expect(Math.min(...times)).toBeGreaterThanOrEqual(MIN_RETRY_MS);
  expect(Math.max(...times)).toBeLessThanOrEqual(MAX_RETRY_MS);
  const minutes = perBin(times, MINUTE_MS);
  expect(Math.max(...minutes)).toBeLessThanOrEqual((3 * 1000) / ((MAX_RETRY_MS - MIN_RETRY_MS) / MINUTE_MS));
});

test("sharp edge 10: 200 peers due at once after a 6 h outage: at most 4 renewals at a time and 120 a minute, and all recover", async () => {
  const sealer = createSealer({ secret: "a secret for the tests of renewal, long enough" });
  const { ada, gateway } = scene;
  const grants = Array.from({ length: 200 }, () => gateway.newGrant());
  for (const grant of grants) {
    const id = newId();
    const own = await createSigningRequest();
    const pem = await gateway.authority.client(own.csrPem, { grantId: grant.id, subjectUserId: grant.subjectUserId });
    const notAfter = new Date(Date.now() + 7 * DAY_MS);
    const serial = serialOf(new X509Certificate(pem));
    grant.generation = 1;
    grant.certificates.push({
      pem,
      serial,
      spki: own.spkiSha256,
      generation: 1,
      notBefore: new Date(Date.now() - MINUTE_MS),
      notAfter,
      supersededAt: undefined,
    });
    await store.db.insert(schema.federationPeers).values({
      id,
      userId: ada,
      name: `peer-${id}`,
      state: "active",
      enrollUrl: gateway.enrollUrl,
      tokenHash: id,
      caFingerprint: "x",
      sealedKey: sealer.seal(own.privateKeyPem, keyBinding(id)),
      endpoint: gateway.endpoint,
      rootPem: gateway.authority.rootPem,
      certificatePem: pem,
      remoteGrantId: grant.id,
      notAfter,
      generation: 1,
      // Six hours of attempts have failed.
      renewAt: new Date(Date.now() - MINUTE_MS),
      renewAttempts: 12,
      renewError: "peer_unreachable",
      createdAt: new Date(),
      updatedAt: new Date(),
    });
  }
  gateway.queryDelayMs = 50;
  const perRun: number[] = [];
  for (let run = 0; run < 3; run++) {
    perRun.push((await scene.peers.renewDuePeers()).renewed);
    scene.advance(MINUTE_MS);
  }
  expect(perRun).toEqual([120, 80, 0]);
  expect(gateway.mostRenewals).toBeLessThanOrEqual(4);
  expect(gateway.renewals).toHaveLength(200);
  expect(grants.every(({ status, generation }) => status === "active" && generation === 2)).toBe(true);
  expect(await scene.peers.list(ada)).toSatisfy((all: readonly { state: string }[]) =>
    all.every(({ state }) => state === "active"),
  );
}, 120_000);
