import type { ListRequest } from "@mosaicstack/federation-protocol";
import { newId } from "@mosaicstack/foundation";
import { everythingOf, listRows, resourceNamed } from "@mosaicstack/resources";
import type { PeerReadStore } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { boundsOf } from "../src/stages/reach.ts";
import type { Plan } from "../src/verbs/serving-verb.ts";
import { servingVerbs } from "../src/verbs/serving-verbs.ts";
import { addUser, grantAndEnroll, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

const scope = { resources: ["tasks", "credentials"], excluded_resources: ["credentials"], include_personal: true };

let gateway: ServingGateway;
let ada: string;

beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
  for (const table of ["tasks", "credentials"]) {
    const [columns, values] =
      table === "tasks" ? ["title", "'a task'"] : ["name, kind, sealed_secret", "'a', 'b', 'c'"];
    await gateway.store.query(
      `insert into ${table} (id, owner_id, created_at, updated_at, ${columns}) values ($1, $2, now(), now(), ${values})`,
      [newId(), ada],
    );
  }
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => gateway.stop());

/** A `list` as it would be if nobody had thought of `coveredResource`. */
function carelessPlan(resource: string): Extract<Plan, { kind: "with rows" }> {
  const definition = resourceNamed(resource);
  return {
    kind: "with rows",
    resources: [definition],
    async answer(read: PeerReadStore) {
      const page = await listRows(read, definition, everythingOf(ada), { limit: 10 }, "federated");
      return { rows: page.count, json: `{"rows":${page.json},"more":${page.more},"limit":10}` };
    },
  };
}

test("a verb that forgets what the scope covers reads no row of an excluded resource, behind both walls", async () => {
  vi.spyOn(servingVerbs.list, "read").mockImplementation((body) => {
    const request = body as ListRequest;
    return { request, plan: () => carelessPlan(request.resource) };
  });
  const { keys } = await grantAndEnroll(gateway, ada, scope);
  const agent = gateway.agent(keys);
  const rowsOf = async (resource: string) => {
    const { status, json } = await gateway.ask(agent, "list", { resource, limit: 10 });
    return { status, rows: (json["rows"] as unknown[]).length };
  };
  expect(await rowsOf("tasks")).toEqual({ status: 200, rows: 1 });
  expect(await rowsOf("credentials")).toEqual({ status: 200, rows: 0 });
});

test("and would read it within bounds that are made of what it asks for alone", async () => {
  const plan = carelessPlan("credentials");
  const covered = {
    resources: ["tasks"],
    excludedResources: [],
    includeTeams: [],
    includePersonal: true,
    maxRowsPerQuery: 10,
  };
  const bounds = boundsOf(ada, covered, plan.resources);
  expect((await gateway.store.readAsPeer(bounds, (read) => plan.answer(read))).rows).toBe(0);
  const asked = { ...bounds, resources: plan.resources.map(({ from }) => from.table) };
  expect((await gateway.store.readAsPeer(asked, (read) => plan.answer(read))).rows).toBe(1);
});
