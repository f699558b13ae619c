import { answerJson, openTestStore } from "@mosaicstack/harness";
import { createSigningRequest, type RenewalResponse } from "@mosaicstack/federation-protocol";
import { createSealer, type Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createPeers } from "../src/index.ts";
import { createPeerConnection } from "../src/peer-connection.ts";
import { keyBinding } from "../src/peer-key.ts";
import { codeOf, DAY_MS, MINUTE_MS, type Scene, startScene } from "./serving-side/scene.ts";

let store: Store;
let scene: Scene;
/** As the scene's own. */
const sealer = createSealer({ secret: "a secret for the tests of renewal, long enough" });
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());
beforeEach(async () => {
  scene = await startScene(store);
  await scene.peers.add(scene.ada, scene.gateway.invite(), "work");
});
afterEach(() => scene.stop());

/** Somebody with a copy of the peer's row and of the seal key renews, and uses what they got. */
async function renewAsThief(): Promise<RenewalResponse> {
  const row = await scene.row();
  const connection = (certificatePem: string, privateKeyPem: string) =>
    createPeerConnection({ endpoint: row.endpoint!, rootPem: row.rootPem!, certificatePem, privateKeyPem });
  const stolen = connection(row.certificatePem!, sealer.open(row.sealedKey, keyBinding(row.id)));
  const { csrPem, privateKeyPem } = await createSigningRequest();
  const answer = await stolen.renew(csrPem, AbortSignal.timeout(10_000));
  await stolen.close();
  if (answer.kind === "refused") throw answer.problem;
  const fresh = connection(answer.response.certificate, privateKeyPem);
  await fresh.call("capabilities", {}, AbortSignal.timeout(10_000));
  await fresh.close();
  return answer.response;
}

test("sharp edge 6: the honest holder of a cloned key learns of it by the first query, not at its window days later", async () => {
  await renewAsThief();
  expect(scene.gateway.clones).toBe(0);
  scene.advance(2 * MINUTE_MS);
  expect(await codeOf(scene.ask())).toBe("certificate_superseded");
  await expect.poll(() => scene.gateway.clones).toBe(1);
  expect(scene.gateway.grant().status).toBe("suspended");
  await expect.poll(async () => (await scene.row()).state).toBe("degraded");
  expect(await scene.row()).toMatchObject({ renewAt: null, renewError: "grant_suspended" });
  expect(scene.alerts).toMatchObject([{ from: "active", to: "degraded", code: "grant_suspended" }]);
});

test("a certificate that another replica's renewal superseded is not renewed again: the newest one is read", async () => {
  const [source] = await scene.peers.sourcesOf(scene.ada);
  const replica = createPeers({ store, sealer, clock: { now: () => scene.now() } });
  await replica.renew(scene.ada, "work");
  scene.gateway.now = () => new Date(Date.now() + 2 * MINUTE_MS);
  expect(await codeOf(source!.capabilities(AbortSignal.timeout(5_000)))).toBe("certificate_superseded");
  await expect.poll(() => codeOf(scene.ask())).toBe("ok");
  expect(scene.gateway.renewals).toHaveLength(1);
  await replica.close();
});

test("queries that keep being told so ask for one renewal a minute, and none where it was refused for good", async () => {
  scene.gateway.onQuery = (_request, response) =>
    answerJson(response, { code: "certificate_superseded", status: 403, detail: "no" }, 403);
  scene.gateway.onRenewal = (_request, response) => {
    scene.gateway.renewals.push({ grantId: "", serial: "", spki: "" });
    answerJson(response, {}, 429);
  };
  const told = async (times: number) => {
    for (let ask = 0; ask < times; ask += 1) expect(await codeOf(scene.ask())).toBe("certificate_superseded");
  };
  const asked = () => scene.gateway.renewals.length;
  await told(4);
  await expect.poll(asked).toBe(1);
  await told(4);
  scene.advance(MINUTE_MS + 1000);
  await told(4);
  await expect.poll(asked).toBe(2);
  // Now by a word that stays.
  scene.gateway.onRenewal = (_request, response) => {
    scene.gateway.renewals.push({ grantId: "", serial: "", spki: "" });
    answerJson(response, { code: "certificate_superseded", status: 403, detail: "no" }, 403);
  };
  scene.advance(MINUTE_MS + 1000);
  await told(1);
  await expect.poll(async () => (await scene.row()).renewAt).toBeNull();
  scene.advance(DAY_MS);
  await told(4);
  await scene.peers.close();
  expect(asked()).toBe(3);
});
