import type { Revocation } from "@mosaicstack/certificate-authority";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createRevocationOutbox, serialOfGrant } from "../src/index.ts";
import { DAY_MS, openGrants, type OpenGrants } from "./grant-fixture.ts";

let world: OpenGrants;
beforeAll(async () => {
  world = await openGrants();
});
afterAll(() => world.store.close());
beforeEach(() => world.setClockRight());

function listening() {
  const told: string[] = [];
  const revoke = async ({ serial }: Revocation): Promise<void> => {
    await Promise.resolve();
    told.push(serial);
  };
  const { store, clock } = world;
  const outbox = createRevocationOutbox({ store, clock, authority: { revoke }, onTold: () => undefined });
  return { told, outbox };
}

test("a revocation while the clock was two days ahead is told to the CA once the clock is right, and not two days later", async () => {
  const { grant, serial } = await world.enrolled();
  world.advance(2 * DAY_MS);
  await world.grants.revoke(world.admin, grant.id);
  world.setClockRight();
  const { told, outbox } = listening();
  await outbox.tellAuthority();
  expect(told.toSorted()).toEqual([serial, serialOfGrant(grant.id)].toSorted());
});
