import fc from "fast-check";
import type { GatewayOptions, TestGateway } from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { removePolicies, restorePolicies, withoutFirstWall } from "../../storage/walls.ts";
import type { Fault } from "./asking.ts";
import type { Stage } from "./stage.ts";

const REQUESTS = 30;
const WORLDS = 40;
const SLOW_MS = 120_000;
/** A whole project is imported first. */
const OPEN_MS = 180_000;

/** A serving gateway that the suite may take the walls of. Its database is the owner's: it may change tables. */
export type StartServing = (aroundStore: NonNullable<GatewayOptions["aroundStore"]>) => Promise<{
  readonly work: TestGateway;
  stop(): Promise<void>;
}>;

/** What is asked, and of whom. */
export interface LeakScene<World> {
  /** Whose peers ask: `five people's`. */
  readonly whose: string;
  /** Worlds asked with neither wall; each takes as long as everybody's rows do. */
  readonly unwalledWorlds: number;
  open(work: TestGateway): Promise<Stage<World>>;
}

/** That no request of a peer is answered with more than the model allows, with both walls and with either; and less than neither. */
export function leakSuite<World>(startServing: StartServing, scene: LeakScene<World>): void {
  const { whose, unwalledWorlds } = scene;
  let isFirstWallDown = false;
  let serving: Awaited<ReturnType<StartServing>>;
  let stage: Stage<World>;

  beforeAll(async () => {
    serving = await startServing((store) => withoutFirstWall(store, () => isFirstWallDown));
    stage = await scene.open(serving.work);
  }, OPEN_MS);
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
    const answersAsExpected = fc.asyncProperty(stage.worlds(REQUESTS), async (world) => {
      expect(await stage.run(change(world))).toEqual([]);
      asked += 1;
    });
    await fc.assert(answersAsExpected, { numRuns: WORLDS });
    return asked;
  }

  describe(`1,200 generated requests of ${whose} peers are answered with what an independent model expects`, () => {
    test("with both walls", { timeout: SLOW_MS }, async () => {
      expect(await askWorlds()).toBe(WORLDS);
    });

    test("without the application's filter: row security holds alone", { timeout: SLOW_MS }, async () => {
      isFirstWallDown = true;
      expect(await askWorlds((world) => stage.unfiltered(world))).toBe(WORLDS);
    });

    test("without row security: the application's filter holds alone", { timeout: SLOW_MS }, async () => {
      await policiesOff();
      expect(await askWorlds()).toBe(WORLDS);
    });

    test("and not without either, which shows that a leak would be seen", { timeout: SLOW_MS }, async () => {
      isFirstWallDown = true;
      await policiesOff();
      const faults: Fault[] = [];
      for (const world of fc.sample(stage.worlds(REQUESTS), unwalledWorlds)) {
        faults.push(...(await stage.run(stage.unfiltered(world))));
      }
      const asked = unwalledWorlds * REQUESTS;
      expect(faults.filter(({ got }) => got.startsWith("text of row")).length).toBeGreaterThan(asked / 12);
    });
  });
}
