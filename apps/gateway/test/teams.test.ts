import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, comparable, openTestGateway, type Person, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;
let owner: Person;
let member: Person;
let stranger: Person;
let team: string;

beforeAll(async () => {
  gateway = await openTestGateway();
  owner = await gateway.person("Olga");
  member = await gateway.person("Milo");
  stranger = await gateway.person("Sven");
  team = await gateway.team("Platform", owner, member);
});
afterAll(() => gateway.stop());

const ABSENT = "01900000-0000-7000-8000-000000000000";
const outcome = ({ status, json }: Answer) => ({ status, code: json?.code });

/** Every change to a team, and a read of its members. */
function requests(id: string, someone: string) {
  return [
    ["PATCH", `/api/v1/teams/${id}`, { name: "Taken over" }],
    ["DELETE", `/api/v1/teams/${id}`, undefined],
    ["PUT", `/api/v1/teams/${id}/members`, { email: "sven@example.org" }],
    ["PUT", `/api/v1/teams/${id}/members/${someone}`, { role: "owner" }],
    ["DELETE", `/api/v1/teams/${id}/members/${someone}`, undefined],
  ] as const;
}

test("to a stranger a team answers as one that is not there, byte for byte", async () => {
  const all = (id: string) => [...requests(id, owner.id), ["GET", `/api/v1/teams/${id}/members`, undefined] as const];
  for (const [index, [method, path, body]] of all(team).entries()) {
    const answer = await gateway.call(method, path, { as: stranger, body });
    const [, absentPath] = all(ABSENT)[index]!;
    const [, noIdPath] = all("no-id")[index]!;
    expect(outcome(answer)).toEqual({ status: 404, code: "not_found" });
    expect(comparable(answer)).toEqual(comparable(await gateway.call(method, absentPath, { as: stranger, body })));
    expect(comparable(answer)).toEqual(comparable(await gateway.call(method, noIdPath, { as: stranger, body })));
  }
  expect((await gateway.call("GET", `/api/v1/teams/${team}`, { as: stranger })).status).toBe(404);
  expect((await gateway.call("GET", "/api/v1/teams", { as: stranger })).json.rows).toEqual([]);
});

test("a member who is no owner is refused every change with not_team_owner, and sees the members", async () => {
  for (const [method, path, body] of requests(team, owner.id)) {
    expect(outcome(await gateway.call(method, path, { as: member, body }))).toEqual({
      status: 403,
      code: "not_team_owner",
    });
  }
  expect((await gateway.call("GET", `/api/v1/teams/${team}/members`, { as: member })).json.rows).toEqual([
    { user_id: member.id, name: "Milo", email: "milo@example.org", role: "member" },
    { user_id: owner.id, name: "Olga", email: "olga@example.org", role: "owner" },
  ]);
  expect((await gateway.call("GET", `/api/v1/teams/${team}`, { as: member })).json.row).toMatchObject({
    name: "Platform",
    members: 2,
  });
});

test("an owner renames it, and a taken name is refused with 409", async () => {
  await gateway.team("Taken", stranger);
  const rename = (name: string) => gateway.call("PATCH", `/api/v1/teams/${team}`, { as: owner, body: { name } });
  expect(outcome(await rename("Taken"))).toEqual({ status: 409, code: "team_name_taken" });
  expect((await rename("Platform 2")).json).toMatchObject({ id: team, name: "Platform 2" });
  const again = await gateway.call("POST", "/api/v1/teams", { as: member, body: { name: "Taken" } });
  expect(outcome(again)).toEqual({ status: 409, code: "team_name_taken" });
});

test("an owner adds by e-mail in any case, and by id; who is not there is unknown_user", async () => {
  const byEmail = await gateway.call("PUT", `/api/v1/teams/${team}/members`, {
    as: owner,
    body: { email: "SVEN@example.org" },
  });
  expect(byEmail.json).toEqual({ user_id: stranger.id, name: "Sven", email: "sven@example.org", role: "member" });
  const removed = await gateway.call("DELETE", `/api/v1/teams/${team}/members/${stranger.id}`, { as: owner });
  expect(removed.status).toBe(204);
  const nobody = { as: owner, body: { email: "nobody@example.org" } };
  expect(outcome(await gateway.call("PUT", `/api/v1/teams/${team}/members`, nobody))).toEqual({
    status: 404,
    code: "unknown_user",
  });
  const absent = await gateway.call("PUT", `/api/v1/teams/${team}/members/${ABSENT}`, { as: owner, body: {} });
  expect(outcome(absent)).toEqual({ status: 404, code: "unknown_user" });
  const gone = await gateway.call("DELETE", `/api/v1/teams/${team}/members/${stranger.id}`, { as: owner });
  expect(outcome(gone)).toEqual({ status: 404, code: "unknown_user" });
});

test("the last owner can be neither removed nor demoted, also by an administrator, and cannot leave", async () => {
  const path = `/api/v1/teams/${team}/members/${owner.id}`;
  for (const as of [owner, gateway.admin]) {
    expect(outcome(await gateway.call("DELETE", path, { as }))).toEqual({ status: 409, code: "last_team_owner" });
    const demoted = await gateway.call("PUT", path, { as, body: { role: "member" } });
    expect(outcome(demoted)).toEqual({ status: 409, code: "last_team_owner" });
  }
  await gateway.call("PUT", `/api/v1/teams/${team}/members/${member.id}`, { as: owner, body: { role: "owner" } });
  const both = await Promise.all([
    gateway.call("DELETE", path, { as: member }),
    gateway.call("DELETE", `/api/v1/teams/${team}/members/${member.id}`, { as: owner }),
  ]);
  // One of the two goes; the other is then no member any more, or the last owner.
  expect(both.filter(({ status }) => status === 204)).toHaveLength(1);
  const { rows } = (await gateway.call("GET", `/api/v1/teams/${team}/members`, { as: gateway.admin })).json;
  expect(rows).toMatchObject([{ role: "owner" }]);
});

test("a member may leave, and then no longer sees it", async () => {
  const own = await gateway.team("Leaving", owner, member);
  expect((await gateway.call("DELETE", `/api/v1/teams/${own}/members/${member.id}`, { as: member })).status).toBe(204);
  expect((await gateway.call("GET", `/api/v1/teams/${own}/members`, { as: member })).status).toBe(404);
});

test("an administrator acts as an owner without being one, and does not thereby see its rows", async () => {
  const own = await gateway.team("Administered", owner);
  await gateway.call("POST", "/api/v1/tasks", { as: owner, body: { title: "ours", team_id: own } });
  const renamed = await gateway.call("PATCH", `/api/v1/teams/${own}`, {
    as: gateway.admin,
    body: { name: "Administered 2" },
  });
  expect(renamed.status).toBe(200);
  expect((await gateway.call("GET", `/api/v1/tasks?team=${own}`, { as: gateway.admin })).json.rows).toEqual([]);
});

test.each([
  ["tasks", { title: "a" }],
  ["notes", { title: "a" }],
  ["memory", { content: "a" }],
  ["credentials", { name: "a", kind: "b", secret: "c" }],
])("a team with %s is not deleted; without them it is", async (resource, body) => {
  const own = await gateway.team(`With ${resource}`, owner);
  const { id } = (await gateway.call("POST", `/api/v1/${resource}`, { as: owner, body: { ...body, team_id: own } }))
    .json;
  const remove = () => gateway.call("DELETE", `/api/v1/teams/${own}`, { as: owner });
  expect(outcome(await remove())).toEqual({ status: 409, code: "team_not_empty" });
  await gateway.call("DELETE", `/api/v1/${resource}/${id}`, { as: owner });
  expect((await remove()).status).toBe(204);
  expect((await gateway.call("GET", `/api/v1/teams/${own}`, { as: owner })).status).toBe(404);
});

test("a team is found by its name by members and administrators; to a stranger it is not there, byte for byte", async () => {
  const id = await gateway.team("Compilers", owner, member);
  const named = (as: Person, name = "Compilers") => gateway.call("GET", `/api/v1/teams/named?name=${name}`, { as });
  expect((await named(member)).json).toMatchObject({ id, name: "Compilers" });
  expect((await named(gateway.admin)).json).toMatchObject({ id });
  const refused = await named(stranger);
  expect(outcome(refused)).toEqual({ status: 404, code: "not_found" });
  expect(comparable(refused)).toEqual(comparable(await named(stranger, "Nonsense")));
});
