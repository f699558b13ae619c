import { performance } from "node:perf_hooks";
import { newId } from "@mosaicstack/foundation";
import {
  type FaultMode,
  faultModes,
  type FaultyPeer,
  type Json,
  startFaultyPeer,
  type startGateway,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

const DEADLINE_MS = 2_000;
/** What this machine may add to a deadline. */
const SLACK_MS = 1_500;
/** A connection that was being made when the fault ended is given up after 5 s; what waits for it meets the deadline first. */
const RECOVERY_MS = 15_000;
const OWN = ["home 0", "home 1"];
const BOTH = [...OWN, "work 0", "work 1", "work 2"];

/** What an answer says, and when it comes, while a peer fails in each of eight ways. */
export function peersThatFail(start: typeof startGateway): void {
  let home: TestGateway;
  let user: TestUser;
  let faulty: FaultyPeer;

  beforeAll(async () => {
    [home, faulty] = await Promise.all([
      start({ tier: "federated", name: "home", deadlineMs: DEADLINE_MS }),
      startFaultyPeer(),
    ]);
    faulty.peer.rows = [0, 1, 2].map((index) => ({ id: newId(), title: `work ${index}` }));
    user = await home.addUser("Ada");
    for (const title of OWN) await user.api.json("POST", "/api/v1/tasks", { title });
    await user.api.json("POST", "/api/v1/federation/peers", { invite: faulty.peer.invite(), name: "work" });
    expect(titles((await list("all")).page)).toEqual(BOTH);
  });
  afterEach(() => faulty.recover());
  afterAll(async () => {
    const startedAt = performance.now();
    await home?.stop();
    // No request of the tests is still under way.
    expect(performance.now() - startedAt).toBeLessThan(DEADLINE_MS + SLACK_MS);
    await faulty?.stop();
  });

  const titles = ({ rows }: Json): string[] => rows.map(({ title }: Json) => title as string).toSorted();

  async function list(source: string): Promise<{ readonly page: Json; readonly tookMs: number }> {
    const startedAt = performance.now();
    const page = await user.api.json("GET", `/api/v1/tasks?source=${source}`);
    return { page, tookMs: performance.now() - startedAt };
  }

  async function expectRecovery(): Promise<void> {
    faulty.recover();
    await expect
      .poll(async () => titles((await list("all")).page), { timeout: RECOVERY_MS, interval: 50 })
      .toEqual(BOTH);
  }

  describe.each(faultModes)("a peer that fails by $name", ({ name, status, code }: FaultMode) => {
    test("costs a blended list its deadline at most: the local rows come, and which source failed and why", async () => {
      faulty.suffer(name);
      const { page, tookMs } = await list("all");
      expect(titles(page)).toEqual(OWN);
      expect(page).toMatchObject({ partial: true, next_cursor: null, retry_cursor: expect.any(String) });
      expect(page.sources).toMatchObject([
        { source: "local", status: "ok", rows: 2 },
        { source: "federated:work", status, rows: 0, error: { code, remedy: expect.stringMatching(/./) } },
      ]);
      expect(tookMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
      await expectRecovery();
    });

    test("fails the same again and again, many at a time, and each answer comes by its deadline", async () => {
      faulty.suffer(name);
      const answers = await Promise.all(Array.from({ length: 20 }, () => list("all")));
      for (const { page, tookMs } of answers) {
        expect(titles(page)).toEqual(OWN);
        expect(page.sources[1].status).not.toBe("ok");
        expect(tookMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
      }
      await expectRecovery();
    });

    test("does not keep a read of local rows waiting", async () => {
      faulty.suffer(name);
      const blended = list("all");
      const { page, tookMs } = await list("local");
      expect(titles(page)).toEqual(OWN);
      expect(tookMs).toBeLessThan(DEADLINE_MS);
      await blended;
      await expectRecovery();
    });

    test("owes its rows still: the retry cursor gives them once the fault is gone", async () => {
      faulty.suffer(name);
      const { retry_cursor: retry } = (await list("all")).page;
      await expectRecovery();
      const rest = await user.api.json("GET", `/api/v1/tasks?source=all&cursor=${retry}`);
      expect(titles(rest)).toEqual(["work 0", "work 1", "work 2"]);
      expect(rest).toMatchObject({ partial: false, next_cursor: null });
    });
  });
}
