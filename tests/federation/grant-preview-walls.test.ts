import { type Json, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removePolicies, restorePolicies, withoutFirstWall } from "../storage/walls.ts";

let isFirstWallDown = false;
let work: TestGateway;
let ada: TestUser;
let platform: string;
beforeAll(async () => {
  const aroundStore = (store: TestGateway["store"]) => withoutFirstWall(store, () => isFirstWallDown);
  work = await startGateway({ tier: "federated", name: "work", aroundStore });
  ada = await work.addUser("Ada");
  platform = await work.addTeam("Platform", ada);
  const design = await work.addTeam("Design", ada);
  for (const team of [platform, platform, design, null]) {
    await ada.api.json("POST", "/api/v1/tasks", { title: `of ${team}`, team_id: team });
  }
});
afterAll(() => work?.stop());

/** What a grant to read one team's tasks would show, to its subject: numbers and rows. */
async function preview(): Promise<Json> {
  const { grant } = await work.admin.api.json("POST", "/api/v1/federation/grants", {
    name: "home",
    subject: ada.id,
    scope: { resources: ["tasks"], include_teams: [platform] },
  });
  return (await ada.api.json("POST", `/api/v1/federation/grants/${grant.id}/preview`)).resources[0];
}

test("either wall alone keeps a grant's preview within its scope", async () => {
  const whole = await preview();
  expect([whole.rows, whole.newest.map(({ title }: Json) => title)]).toEqual([2, Array(2).fill(`of ${platform}`)]);
  isFirstWallDown = true;
  expect(await preview()).toEqual(whole);
  const run = (sql: string) => work.store.query(sql, []);
  await removePolicies(run);
  try {
    // Without both it would show: the test looks where there is something to see.
    expect((await preview()).rows).toBe(4);
    isFirstWallDown = false;
    expect(await preview()).toEqual(whole);
  } finally {
    isFirstWallDown = false;
    await restorePolicies(run);
  }
});
