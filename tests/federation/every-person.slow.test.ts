import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { faultsOf, fillTwoGateways, readAs, type TwoGateways } from "./every-person.ts";
import { generateData } from "./generated-data.ts";

const data = generateData(20_261_123);
let gateways: TwoGateways;

beforeAll(async () => {
  gateways = await fillTwoGateways(data, 20);
});
afterAll(async () => await Promise.all([gateways?.home.stop(), gateways?.work.stop()]));

test("the generated data has what makes real data hard", () => {
  const { people, tasks, notes } = data;
  expect(people.some(({ teams }) => teams.length === 0)).toBe(true);
  expect(people.filter(({ teams }) => teams.length > 2).length).toBeGreaterThan(2);
  for (const rows of [tasks, notes]) {
    expect(rows.filter(({ team }) => team === undefined).length).toBeGreaterThan(10);
    expect(rows.filter(({ created_at }) => created_at === undefined).length).toBeGreaterThan(10);
    expect(new Set(rows.map(({ key }) => key)).size).toBeLessThan(rows.length);
  }
});

describe("a home gateway that reads as one person of work has that person's rows, their teams' and its own, each once:", () => {
  // Page sizes that divide the lists in ever other ways.
  test.each(data.people.map((person, index) => ({ person, limit: [7, 200, 1 + (index % 13), 50][index % 4]! })))(
    "$person.name, by pages of $limit",
    async ({ person, limit }) => {
      const { tasks, notes } = await readAs(gateways, person, data, limit);
      expect(faultsOf(tasks)).toEqual([]);
      expect(faultsOf(notes)).toEqual([]);
      expect(tasks.expected.length).toBeGreaterThanOrEqual(14);
    },
  );
});

test("nothing of work is left at home once the peer is removed", async () => {
  const { home, reader } = gateways;
  expect((await reader.api.json("GET", "/api/v1/federation/peers")).peers).toEqual([]);
  expect(await home.store.query("select 1 as found from federation_peers", [])).toEqual([]);
});
