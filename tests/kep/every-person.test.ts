import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { faultsOf, fillTwoGateways, readAs, type TwoGateways } from "../federation/every-person.ts";
import { readProposals } from "./proposals.ts";

const folder = process.env["KEP_DATA"] ?? "";
if (folder === "") {
  throw new Error("KEP_DATA is not set: it names the folder with people.jsonl, tasks.jsonl and notes.jsonl");
}

const PAGE = 200;
const data = readProposals(folder);
let gateways: TwoGateways;

beforeAll(async () => {
  gateways = await fillTwoGateways(data, PAGE);
});
afterAll(async () => await Promise.all([gateways?.home.stop(), gateways?.work.stop()]));

test("the data is all there", () => {
  const { people, tasks, notes } = data;
  // With a personal task and note for each person.
  expect([people.length, tasks.length, notes.length]).toEqual([452, 537 + 452, 536 + 452]);
});

describe("a home gateway that reads as one person of work has that person's rows, their teams' and its own, each once:", () => {
  test.each(data.people)("$name", async (person) => {
    const { tasks, notes } = await readAs(gateways, person, data, PAGE);
    expect(faultsOf(tasks)).toEqual([]);
    expect(faultsOf(notes)).toEqual([]);
  });
});
