import { afterAll, beforeAll, expect, test } from "vitest";
import {
  addTask,
  addTeam,
  addUser,
  grantAndEnroll,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

let gateway: ServingGateway;
let ada: string;
let grace: string;
let compilers: string;
let secret: string;

beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
  grace = await addUser(gateway.store, "grace");
  compilers = await addTeam(gateway.store, "compilers", ada, grace);
  secret = await addTeam(gateway.store, "secret", ada);
  await addTask(gateway.store, "personal of ada", ada);
  await addTask(gateway.store, "shared", grace, compilers);
  await addTask(gateway.store, "hidden team", ada, secret);
  await addTask(gateway.store, "personal of grace", grace);
});
afterAll(() => gateway.stop());

function titles(answer: { json: Record<string, unknown> }): string[] {
  return (answer.json["rows"] as { title: string }[]).map(({ title }) => title);
}

test("a list is the subject's rows within the scope, newest first", async () => {
  const { keys } = await grantAndEnroll(gateway, ada, {
    resources: ["tasks"],
    include_teams: [compilers],
    include_personal: true,
  });
  const answer = await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 50 });
  expect(answer.status).toBe(200);
  expect(titles(answer)).toEqual(["shared", "personal of ada"]);
});

test("the serving side knows which client certificate arrived, and whose", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 50 });
  const [certificate] = (await gateway.grants.find({ userId: ada, isAdmin: false }, grant.id)).certificates;
  expect(gateway.records.at(-1)).toMatchObject({
    verb: "list",
    resource: "tasks",
    outcome: "ok",
    grantId: grant.id,
    subjectUserId: ada,
    serial: certificate?.serial,
  });
});

test("an idle connection is kept longer than a querying gateway keeps it, so that no request meets its end", async () => {
  const { keys } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const answer = await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 1 });
  expect(answer.headers["keep-alive"]).toBe("timeout=72");
});
