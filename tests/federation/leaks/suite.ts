import fc from "fast-check";
import type { GatewayOptions, TestGateway } from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { removePolicies, restorePolicies, withoutFirstWall } from "../../storage/walls.ts";
import { type Fault, openStage, type Stage } from "./stage.ts";
import { type World, worlds } from "./world.ts";

const REQUESTS = 30;
const WORLDS = 40;

/** A serving gateway that the suite may take the walls of. Its database is the owner's: it may change tables. */
export type StartServing = (aroundStore: NonNullable<GatewayOptions["aroundStore"]>) => Promise<{
  readonly work: TestGateway;
  stop(): Promise<void>;
}>;

/**
 * What goes with the application's filter. A list's `team` filter, which narrows within what may be seen, is part of it; and
 * without it a search's few best may all be rows that the second wall then hides: with room for all, none is missing.
 */
const unfiltered = (world: World): World => ({
  ...world,
  scopes: world.scopes.map((scope) => ({ ...scope, maxRows: 200 })),
  requests: world.requests.map((request) => (request.verb === "list" ? { ...request, team: null } : request)),
});

/** That no request of a peer is answered with more than the model allows, with both walls and with either; and less than neither. */
export function leakSuite(startServing: StartServing): void {
  let isFirstWallDown = false;
  let serving: Awaited<ReturnType<StartServing>>;
  let stage: Stage;

  beforeAll(async () => {
    serving = await startServing((store) => withoutFirstWall(store, () => isFirstWallDown));
    stage = await openStage(serving.work);
  }, 60_000);
  afterAll(async () => {
    await stage?.close();
    await serving?.stop();
  });
  afterEach(async () => {
    isFirstWallDown = false;
    await restorePolicies((sql) => serving.work.store.query(sql, []));
  });

  const policiesOff = async (): Promise<void> => removePolicies((sql) => serving.work.store.query(sql, []));

  /** @returns how many worlds were asked; it throws with the smallest one whose answers are wrong */
  async function askWorlds(change: (world: World) => World = (world) => world): Promise<number> {
    let asked = 0;
    const answersAsExpected = fc.asyncProperty(worlds(REQUESTS), async (world) => {
      expect(await stage.run(change(world))).toEqual([]);
      asked += 1;
    });
    await fc.assert(answersAsExpected, { numRuns: WORLDS });
    return asked;
  }

  describe("1,200 generated requests of five people's peers are answered with what an independent model expects", () => {
    test("with both walls", { timeout: 120_000 }, async () => {
      expect(await askWorlds()).toBe(WORLDS);
    });

    test("without the application's filter: row security holds alone", { timeout: 120_000 }, async () => {
      isFirstWallDown = true;
      expect(await askWorlds(unfiltered)).toBe(WORLDS);
    });

    test("without row security: the application's filter holds alone", { timeout: 120_000 }, async () => {
      await policiesOff();
      expect(await askWorlds()).toBe(WORLDS);
    });

    test("and not without either, which shows that a leak would be seen", { timeout: 120_000 }, async () => {
      isFirstWallDown = true;
      await policiesOff();
      const faults: Fault[] = [];
      for (const world of fc.sample(worlds(REQUESTS), WORLDS)) {
        faults.push(...(await stage.run(unfiltered(world))));
      }
      expect(faults.filter(({ got }) => got.startsWith("text of row")).length).toBeGreaterThan(100);
    });
  });
}
