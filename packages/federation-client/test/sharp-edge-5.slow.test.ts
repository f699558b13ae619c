import { openTestStore } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { codeOf, MINUTE_MS, type Scene, startScene } from "./serving-side/scene.ts";

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

/** The store of a process that dies at its n-th change of the database, or right after it; later ones find it dead. */
function dyingAt(
  step: number,
  moment: "before" | "after",
): { readonly store: Pick<Store, "db" | "transaction">; readonly died: () => boolean } {
  let changes = 0;
  let isDead = false;
  const transaction: Store["transaction"] = async (work) => {
    changes += 1;
    if (changes === step && moment === "before") isDead = true;
    if (isDead) throw new Error("killed");
    const result = await store.transaction(work);
    if (changes === step) {
      isDead = true;
      throw new Error("killed");
    }
    return result;
  };
  return { store: { db: store.db, transaction }, died: () => isDead };
}

/** Whatever happened: a restarted gateway answers at once, and finishes the renewal with the one key. */
async function expectRecovery(): Promise<void> {
  await scene.restart();
  expect(await codeOf(scene.ask())).toBe("ok");
  for (let run = 0; run < 3; run++) {
    scene.advance(10 * MINUTE_MS);
    await scene.peers.renewDuePeers();
  }
  const row = await scene.row();
  if (row.generation === 1) await scene.peers.renew(scene.ada, "work");
  expect(await scene.row()).toMatchObject({
    state: "active",
    generation: 2,
    previousCertificatePem: null,
    sealedNextKey: null,
  });
  expect(await codeOf(scene.ask())).toBe("ok");
  expect(scene.gateway.grant()).toMatchObject({ status: "active", generation: 2, certificates: [{}, {}] });
  expect(new Set(scene.gateway.renewals.map(({ spki }) => spki)).size).toBe(1);
  expect(scene.gateway.clones).toBe(0);
}

// The key is stored, the pairs are swapped, the previous one is forgotten: three changes, and one more that is never reached.
test.each([1, 2, 3].flatMap((step) => [[step, "before"] as const, [step, "after"] as const]))(
  "sharp edge 5: killed at change %d of a renewal, %s it: a working pair, the same key again, no clone",
  async (step, moment) => {
    await add();
    const { store: dying, died } = dyingAt(step, moment);
    await scene.restart(dying);
    expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("fault: Error: killed");
    expect(died()).toBe(true);
    await expectRecovery();
  },
);

test("sharp edge 5: a renewal changes the database three times", async () => {
  await add();
  const { store: dying, died } = dyingAt(4, "before");
  await scene.restart(dying);
  expect(await scene.peers.renew(scene.ada, "work")).toMatchObject({ generation: 2 });
  expect(died()).toBe(false);
});

test.each<[string, () => void]>([
  ["before the peer heard of it", () => (scene.gateway.onRenewal = (_request, response) => response.destroy())],
  ["after the certificate was issued", () => (scene.gateway.losesRenewal = true)],
  ["before the first use was served", () => (scene.gateway.onQuery = (_request, response) => response.destroy())],
])("sharp edge 5: cut off %s: a working pair, the same key again, no clone", async (_when, cut) => {
  await add();
  cut();
  expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toBe("peer_unreachable");
  scene.gateway.onRenewal = undefined;
  scene.gateway.onQuery = undefined;
  scene.gateway.losesRenewal = false;
  await expectRecovery();
});

test("sharp edge 5: a disk that is full while a renewal is written down leaves the pair in use", async () => {
  await add();
  let isFull = true;
  const full: Store["transaction"] = (work) =>
    isFull ? Promise.reject(new Error("no space left on device")) : store.transaction(work);
  await scene.restart({ db: store.db, transaction: full });
  expect(await codeOf(scene.peers.renew(scene.ada, "work"))).toMatch(/no space/);
  expect(await codeOf(scene.ask())).toBe("ok");
  isFull = false;
  expect(await scene.peers.renew(scene.ada, "work")).toMatchObject({ generation: 2 });
});

test("sharp edge 5: 2,000 requests in flight over 20 swaps: none fails", async () => {
  await add();
  const outcomes: Promise<string>[] = [];
  const ask = () => void outcomes.push(codeOf(scene.ask()));
  // A hundred are asked with the pair in use while its successor is being issued, and most of them wait for a socket at the swap.
  scene.gateway.queryDelayMs = 30;
  scene.gateway.alterRenewal = (answer) => {
    for (let query = 0; query < 100; query++) ask();
    return answer;
  };
  let inFlightAtSwap = 0;
  for (let swap = 0; swap < 20; swap++) {
    expect(await scene.peers.renew(scene.ada, "work")).toMatchObject({ generation: swap + 2 });
    const states = await Promise.all(outcomes.map((outcome) => Promise.race([outcome, Promise.resolve("in flight")])));
    inFlightAtSwap += states.filter((state) => state === "in flight").length;
  }
  expect(inFlightAtSwap).toBeGreaterThan(500);
  const codes = await Promise.all(outcomes);
  expect(codes).toHaveLength(2_000);
  expect(codes.filter((code) => code !== "ok")).toEqual([]);
  expect(new Set(scene.gateway.queries.map(({ serial }) => serial)).size).toBe(21);
}, 120_000);
