import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Json, openTestGateway, PASSWORD, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(() => gateway.stop());

const NOBODY = "01900000-0000-7000-8000-000000000000";

describe("users", () => {
  test("everything about users is refused to who is no administrator", async () => {
    const user = await gateway.person("Plain");
    const asked = [
      ["GET", "/api/v1/users"],
      ["POST", "/api/v1/users", { name: "X", email: "x@example.org" }],
      ["GET", `/api/v1/users/${user.id}`],
      ["PATCH", `/api/v1/users/${user.id}`, { role: "admin" }],
      ["DELETE", `/api/v1/users/${gateway.admin.id}`],
      ["POST", "/api/v1/import/people", { people: [{ name: "x" }] }],
    ] as const;
    for (const [method, path, body] of asked) {
      const answer = await gateway.call(method, path, { as: user, body });
      expect({ path, status: answer.status, code: answer.json.code }).toEqual({ path, status: 403, code: "not_admin" });
      expect((await gateway.call(method, path, { body })).status).toBe(401);
    }
    expect((await gateway.call("GET", "/api/v1/me", { as: user })).json).toEqual({
      id: user.id,
      name: "Plain",
      email: "plain@example.org",
      role: "user",
    });
  });

  test("are made, got, renamed, given a role and listed page by page", async () => {
    const made: string[] = [];
    for (const name of ["U1", "U2", "U3"]) made.push((await gateway.person(name)).id);
    const changed = await gateway.call("PATCH", `/api/v1/users/${made[0]}`, {
      as: gateway.admin,
      body: { name: "First", role: "admin" },
    });
    expect(changed.json).toMatchObject({ id: made[0], name: "First", role: "admin" });
    expect((await gateway.call("GET", `/api/v1/users/${made[0]}`, { as: gateway.admin })).json).toEqual(changed.json);
    await gateway.call("PATCH", `/api/v1/users/${made[0]}`, { as: gateway.admin, body: { role: "user" } });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query = cursor === null ? "" : `&cursor=${cursor}`;
      const page: Json = (await gateway.call("GET", `/api/v1/users?limit=2${query}`, { as: gateway.admin })).json;
      seen.push(...page.rows.map((row: { id: string }) => row.id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    const all = await gateway.store.db.select({ id: schema.users.id }).from(schema.users);
    expect(seen).toEqual(
      all
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    expect(seen).toEqual(expect.arrayContaining(made));
  });

  test("an address that is taken, whatever its case, is refused with 409", async () => {
    const body = { name: "Second Ada", email: "ADA@EXAMPLE.ORG" };
    const answer = await gateway.call("POST", "/api/v1/users", { as: gateway.admin, body });
    expect(answer.status).toBe(409);
    expect(answer.json.code).toBe("email_taken");
  });

  test.each([
    ["password", { password: "elevenchars" }],
    ["password", { password: "x".repeat(129) }],
    ["email", { email: "nobody" }],
    ["role", { role: "root" }],
    ["name", { name: " " }],
    ["banned", { banned: true }],
  ])("a bad %s is refused with the path", async (path, changes) => {
    const body = { name: "X", email: "x@example.org", ...changes };
    const answer = await gateway.call("POST", "/api/v1/users", { as: gateway.admin, body });
    expect(answer.status).toBe(400);
    expect(answer.json.path).toBe(path);
  });

  test("who is not there is answered with unknown_user", async () => {
    for (const id of [NOBODY, "no-id"]) {
      for (const [method, body] of [["GET"], ["PATCH", { name: "X" }], ["DELETE"]] as const) {
        const answer = await gateway.call(method, `/api/v1/users/${id}`, { as: gateway.admin, body });
        expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 404, code: "unknown_user" });
      }
    }
  });

  test("passwords are stored as scrypt and appear nowhere else", async () => {
    const body = { name: "Safe", email: "safe@example.org", password: PASSWORD };
    const { json } = await gateway.call("POST", "/api/v1/users", { as: gateway.admin, body });
    const [account] = await gateway.store.db.select().from(schema.accounts).where(eq(schema.accounts.userId, json.id));
    expect(account?.password).toMatch(/^[0-9a-f]{32}:[0-9a-f]{128}$/);
    expect(gateway.log.join("\n")).not.toContain(PASSWORD);
  });
});

describe("the last administrator", () => {
  const lastRefused = async (method: "PATCH" | "DELETE", id: string, body?: object) => {
    const answer = await gateway.call(method, `/api/v1/users/${id}`, { as: gateway.admin, body });
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 409, code: "last_admin" });
  };

  test("can be neither demoted nor removed", async () => {
    await lastRefused("PATCH", gateway.admin.id, { role: "user" });
    await lastRefused("DELETE", gateway.admin.id);
    expect((await gateway.call("GET", "/api/v1/me", { as: gateway.admin })).json.role).toBe("admin");
  });

  test("is left when two administrators demote each other at once", async () => {
    const other = await gateway.person("Other admin");
    await gateway.call("PATCH", `/api/v1/users/${other.id}`, { as: gateway.admin, body: { role: "admin" } });
    // Both known as administrators, so that neither is turned away at the door.
    for (const as of [other, gateway.admin])
      expect((await gateway.call("GET", "/api/v1/users", { as })).status).toBe(200);
    const answers = await Promise.all([
      gateway.call("PATCH", `/api/v1/users/${other.id}`, { as: gateway.admin, body: { role: "user" } }),
      gateway.call("PATCH", `/api/v1/users/${gateway.admin.id}`, { as: other, body: { role: "user" } }),
    ]);
    expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([200, 409]);
    const admins = await gateway.store.db.select().from(schema.users).where(eq(schema.users.role, "admin"));
    expect(admins).toHaveLength(1);
    if (admins[0]?.id === other.id) {
      await gateway.call("PATCH", `/api/v1/users/${gateway.admin.id}`, { as: other, body: { role: "admin" } });
      await gateway.call("PATCH", `/api/v1/users/${other.id}`, { as: gateway.admin, body: { role: "user" } });
    }
  });
});

test("a removed user's personal rows go, and their team's rows stay without an owner", async () => {
  const leaver = await gateway.person("Leaver");
  const mate = await gateway.person("Mate");
  const team = await gateway.team("Left behind", mate, leaver);
  const create = (resource: string, body: object) => gateway.call("POST", `/api/v1/${resource}`, { as: leaver, body });
  await create("tasks", { title: "mine" });
  await create("notes", { title: "mine" });
  await create("memory", { content: "mine" });
  await create("credentials", { name: "mine", kind: "token", secret: "s" });
  await create("tasks", { title: "ours", team_id: team });
  expect((await gateway.call("DELETE", `/api/v1/users/${leaver.id}`, { as: gateway.admin })).status).toBe(204);
  for (const table of [schema.tasks, schema.notes, schema.memories, schema.credentials]) {
    expect(await gateway.store.db.select().from(table).where(eq(table.spaceId, leaver.id))).toEqual([]);
  }
  const { rows } = (await gateway.call("GET", `/api/v1/tasks?team=${team}`, { as: mate })).json;
  expect(rows).toMatchObject([{ title: "ours", owner_id: null, owner: null }]);
  const { rows: members } = (await gateway.call("GET", `/api/v1/teams/${team}/members`, { as: mate })).json;
  expect(members).toMatchObject([{ user_id: mate.id, role: "owner" }]);
});
