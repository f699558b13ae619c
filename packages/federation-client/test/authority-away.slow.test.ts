import { federationProblem, renewalWindow } from "@mosaicstack/federation-protocol";
import { answerJson, openTestStore } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { retryAt } from "../src/renewal-schedule.ts";
import { codeOf, DAY_MS, MINUTE_MS, type Scene, startScene } from "./serving-side/scene.ts";

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

describe("while the CA is away for a third of a certificate's life", () => {
  test("the longest pause between two attempts, and a run of the job, are within the hour that the window leaves", () => {
    const start = new Date(0);
    const { until } = renewalWindow(start, new Date(3 * DAY_MS));
    const longestMs = retryAt(start, 1000, () => 1).getTime();
    expect(longestMs + MINUTE_MS).toBeLessThanOrEqual(2 * DAY_MS - until.getTime());
  });

  test("from the latest moment of a renewal on, with the longest pauses: a warning, no query refused, and renewed", async () => {
    scene.random = () => 1;
    // Of the shortest life a gateway gives, where a pause weighs most.
    scene.gateway.lifetimeMs = DAY_MS;
    await scene.peers.add(scene.ada, scene.gateway.invite(), "work");
    let row = await scene.row();
    const { renewAt, notAfter } = row;
    const backAt = renewAt!.getTime() + DAY_MS / 3;
    scene.advance(renewAt!.getTime() - scene.now().getTime());
    let refusals = 0;
    const away: typeof scene.gateway.onRenewal = (_request, response) => {
      refusals += 1;
      const { details, status } = federationProblem("authority_unavailable");
      answerJson(response, details, status);
    };
    const states = new Set<string>();
    while (row.generation === 1) {
      scene.gateway.onRenewal = scene.now().getTime() < backAt ? away : undefined;
      await scene.peers.renewDuePeers();
      expect(await codeOf(scene.ask()), `at ${scene.now().toISOString()}`).toBe("ok");
      row = await scene.row();
      states.add(row.state);
      scene.advance(MINUTE_MS);
    }
    expect([...states]).toEqual(["active", "degraded"]);
    expect(row).toMatchObject({ state: "active", generation: 2, renewError: null });
    expect(scene.now().getTime()).toBeGreaterThan(backAt);
    expect(scene.now() < notAfter!).toBe(true);
    // The pauses were the longest there are: half an hour, once the first few had doubled.
    expect(refusals).toBeLessThan(22);
  }, 60_000);
});
