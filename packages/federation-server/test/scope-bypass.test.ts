import { randomUUID } from "node:crypto";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  addTask,
  addTeam,
  addUser,
  type Answer,
  grantAndEnroll,
  issueClient,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

let gateway: ServingGateway;
let ada: string;
let inside: string;
let outside: string;
let foreign: string;

beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
  const grace = await addUser(gateway.store, "grace");
  inside = await addTeam(gateway.store, "inside", ada);
  outside = await addTeam(gateway.store, "outside", ada);
  foreign = await addTeam(gateway.store, "foreign", grace);
  await addTask(gateway.store, "inside", ada, inside);
  await addTask(gateway.store, "outside", ada, outside);
  await addTask(gateway.store, "foreign", grace, foreign);
  await addTask(gateway.store, "personal", ada);
});
afterAll(() => gateway.stop());

const titles = ({ json }: Answer) => (json["rows"] as { title: string }[]).map(({ title }) => title);

async function listWith(scope: object, filters: object): Promise<Answer> {
  const { keys } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], ...scope });
  return await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 50, filters });
}

test("the team filter does not reach a team of the subject's that the scope leaves out", async () => {
  const scope = { include_teams: [inside], include_personal: true };
  expect(titles(await listWith(scope, { team: outside }))).toEqual([]);
  expect(titles(await listWith(scope, { team: inside }))).toEqual(["inside"]);
});

test("the personal filter does not reach personal rows that the scope leaves out", async () => {
  expect(titles(await listWith({ include_teams: "all" }, { team: "personal" }))).toEqual([]);
  expect(titles(await listWith({ include_personal: true }, { team: "personal" }))).toEqual(["personal"]);
});

test.each(["upper case", "another's", "a list of two", "a wildcard", "nothing"])(
  "the team filter shows nothing for %s",
  async (which) => {
    const team = {
      "upper case": outside.toUpperCase(),
      "another's": foreign,
      "a list of two": `${inside},${outside}`,
      "a wildcard": "%",
      nothing: "",
    }[which];
    const scope = { include_teams: "all", include_personal: true };
    expect(titles(await listWith(scope, { team }))).toEqual([]);
  },
);

test("grant_unknown: the certificate names another grant over the same subject's data", async () => {
  const narrow = await grantAndEnroll(gateway, ada, { resources: ["notes"], include_personal: true });
  const wide = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const keys = await issueClient(gateway.authority, { grantId: wide.grant.id, subjectUserId: ada });
  const { serial, spki, cert: pem, notAfter } = keys;
  const row = { serial, spki, pem, notAfter, grantId: narrow.grant.id, generation: 9, issuedAt: new Date() };
  await gateway.store.db.insert(schema.federationCertificates).values(row);
  for (const resource of ["tasks", "notes"]) {
    const answer = await gateway.ask(gateway.agent(keys), "list", { resource, limit: 5 });
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_unknown"]);
  }
});

test.each([
  "Tasks",
  "tasks ",
  "ｔａｓｋｓ",
  "tasks\0",
  "task\u017f",
  "credentials\u200b",
  "toString",
  "constructor",
  "0",
  "tasks;--",
])("resource_not_in_scope: the resource is written %j", async (resource) => {
  const { keys } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const answer = await gateway.ask(gateway.agent(keys), "list", { resource, limit: 5 });
  expect([answer.status, answer.json["code"]]).toEqual([403, "resource_not_in_scope"]);
});

test("of a member that comes twice, what is judged is what is read", async () => {
  const { keys } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const body = '{"resource":"tasks","limit":5,"resource":"credentials"}';
  const answer = await gateway.ask(gateway.agent(keys), "list", body);
  expect([answer.status, answer.json["code"]]).toEqual([403, "resource_not_in_scope"]);
});

test("the grant's own id in the request changes nothing: members that are not the protocol's are refused", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const agent = gateway.agent(keys);
  for (const extra of [
    { grant_id: grant.id },
    { subject_user_id: randomUUID() },
    { scope: { resources: ["notes"] } },
  ]) {
    const answer = await gateway.ask(agent, "list", { resource: "tasks", limit: 5, ...extra });
    expect([answer.status, answer.json["code"]]).toEqual([400, "request_malformed"]);
  }
});

test("the gateway's own row cap holds, whatever the scope and the request say", async () => {
  const scope = { resources: ["tasks"], include_personal: true, max_rows_per_query: 1000 };
  const { keys } = await grantAndEnroll(gateway, ada, scope);
  const { json } = await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 1000 });
  expect(json["limit"]).toBe(200);
});

test("grant_expired: a grant marked as expired", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const { federationGrants } = schema;
  await gateway.store.db.update(federationGrants).set({ status: "expired" }).where(eq(federationGrants.id, grant.id));
  const answer = await gateway.ask(gateway.agent(keys), "list", { resource: "tasks", limit: 1 });
  expect([answer.status, answer.json["code"]]).toEqual([403, "grant_expired"]);
});
