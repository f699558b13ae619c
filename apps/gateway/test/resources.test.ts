import { createHash } from "node:crypto";
import { peerPlace } from "@mosaicstack/federation-protocol";
import { newId } from "@mosaicstack/foundation";
import { registry } from "@mosaicstack/resources";
import { schema } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeCursor } from "../src/reading/cursor.ts";
import { comparable, type Json, openTestGateway, type Person, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;
let ben: Person;
let cleo: Person;
let team: string;

beforeAll(async () => {
  gateway = await openTestGateway();
  ben = await gateway.person("Ben");
  cleo = await gateway.person("Cleo");
  team = await gateway.team("Platform", ben);
});
afterAll(() => gateway.stop());

const INPUTS: Readonly<Record<string, object>> = {
  tasks: { title: "Fix the roof", description: "before winter", status: "open", due_at: "2026-01-02T03:04:05.678Z" },
  notes: { title: "Roofs", body: "# Roofs\n".repeat(100) },
  memory: { content: "The roof leaks." },
  credentials: { name: "roofer", kind: "password", secret: "slate-and-lead" },
};
const EDITS: Readonly<Record<string, object>> = {
  tasks: { status: "done" },
  notes: { title: "Better roofs" },
  memory: { content: "The roof leaked." },
  credentials: { secret: "copper" },
};
const written = Object.keys(INPUTS);

async function create(resource: string, as: Person, changes: object = {}) {
  const answer = await gateway.call("POST", `/api/v1/${resource}`, { as, body: { ...INPUTS[resource], ...changes } });
  expect(answer.status, answer.text).toBe(201);
  return answer.json;
}

describe.each(written)("%s", (resource) => {
  test("are created, got, listed, edited and deleted by their owner", async () => {
    const made = await gateway.call("POST", `/api/v1/${resource}`, { as: ben, body: INPUTS[resource] });
    const { id } = made.json;
    expect(made.headers["location"]).toBe(`/api/v1/${resource}/${id}`);
    expect(made.json).toMatchObject({ owner_id: ben.id, owner: "Ben", team_id: null, _source: "local" });
    const got = await gateway.call("GET", `/api/v1/${resource}/${id}`, { as: ben });
    expect(got.json.row).toEqual(made.json);
    expect(got.json.sources).toMatchObject([{ source: "local", status: "ok", rows: 1 }]);
    const list = await gateway.call("GET", `/api/v1/${resource}`, { as: ben });
    expect(list.json.rows.map((row: { id: string }) => row.id)).toContain(id);
    expect(list.json).toMatchObject({ partial: false, limit: 50, next_cursor: null });
    const edited = await gateway.call("PATCH", `/api/v1/${resource}/${id}`, { as: ben, body: EDITS[resource] });
    expect(edited.status).toBe(200);
    expect(Date.parse(edited.json.updated_at)).toBeGreaterThanOrEqual(Date.parse(made.json.updated_at));
    expect((await gateway.call("DELETE", `/api/v1/${resource}/${id}`, { as: ben })).status).toBe(204);
    expect((await gateway.call("GET", `/api/v1/${resource}/${id}`, { as: ben })).status).toBe(404);
  });

  test("of somebody else answer as those that are not there, byte for byte", async () => {
    const { id } = await create(resource, ben);
    const absent = "01900000-0000-7000-8000-000000000000";
    const asked = [
      ["GET", "", undefined],
      ["PATCH", "", EDITS[resource]],
      ["DELETE", "", undefined],
      ...(resource === "credentials" ? ([["POST", "/reveal", undefined]] as const) : []),
    ] as const;
    for (const [method, tail, body] of asked) {
      const call = { as: cleo, body };
      const others = await gateway.call(method, `/api/v1/${resource}/${id}${tail}`, call);
      const none = await gateway.call(method, `/api/v1/${resource}/${absent}${tail}`, call);
      const noId = await gateway.call(method, `/api/v1/${resource}/no-id${tail}`, call);
      expect(others.status).toBe(404);
      expect(others.json.code).toBe("not_found");
      expect(comparable(others)).toEqual(comparable(none));
      expect(comparable(others)).toEqual(comparable(noId));
    }
    const still = await gateway.call("GET", `/api/v1/${resource}/${id}`, { as: ben });
    expect(still.status).toBe(200);
  });

  test("are not an administrator's either", async () => {
    const { id } = await create(resource, ben);
    expect((await gateway.call("GET", `/api/v1/${resource}/${id}`, { as: gateway.admin })).status).toBe(404);
  });

  test("of a team are its members', and a team one is not in is refused", async () => {
    const { id } = await create(resource, ben, { team_id: team });
    const dan = await gateway.person(`Dan ${resource}`);
    expect((await gateway.call("GET", `/api/v1/${resource}/${id}`, { as: dan })).status).toBe(404);
    await gateway.call("PUT", `/api/v1/teams/${team}/members/${dan.id}`, { as: ben, body: {} });
    expect((await gateway.call("PATCH", `/api/v1/${resource}/${id}`, { as: dan, body: EDITS[resource] })).status).toBe(
      200,
    );
    await gateway.call("DELETE", `/api/v1/teams/${team}/members/${dan.id}`, { as: ben });
    expect((await gateway.call("GET", `/api/v1/${resource}/${id}`, { as: dan })).status).toBe(404);
    const refused = await gateway.call("POST", `/api/v1/${resource}`, {
      as: cleo,
      body: { ...INPUTS[resource], team_id: team },
    });
    expect(refused.status).toBe(404);
    expect(refused.json.code).toBe("unknown_team");
  });

  test("cannot be moved to another space by an edit", async () => {
    const { id } = await create(resource, cleo);
    const answer = await gateway.call("PATCH", `/api/v1/${resource}/${id}`, { as: cleo, body: { team_id: team } });
    expect(answer.status).toBe(400);
    expect(answer.json.path).toBe("team_id");
  });

  test("with a key that another row of the space has are refused with 409", async () => {
    await create(resource, ben, { key: "the-key" });
    const again = await gateway.call("POST", `/api/v1/${resource}`, {
      as: ben,
      body: { ...INPUTS[resource], key: "the-key" },
    });
    expect(again.status).toBe(409);
    expect(again.json.code).toBe("key_taken");
    await create(resource, cleo, { key: "the-key" });
    const found = await gateway.call("GET", `/api/v1/${resource}?key=the-key`, { as: ben });
    expect(found.json.rows).toHaveLength(1);
  });

  test("with NUL or half a character in a text are refused with 400 and the path", async () => {
    for (const [member, value] of Object.entries(INPUTS[resource] ?? {})) {
      if (member === "status" || member === "due_at") continue;
      for (const bad of ["\0", "\uD800"]) {
        const body = { ...INPUTS[resource], [member]: `${value}${bad}` };
        const answer = await gateway.call("POST", `/api/v1/${resource}`, { as: ben, body });
        expect(answer.status, `${member} ${JSON.stringify(bad)}`).toBe(400);
        expect(answer.json).toMatchObject({ code: "invalid_input", path: member });
      }
    }
    const inProperties = { ...INPUTS[resource], properties: { deep: [{ "a\0": 1 }] } };
    expect((await gateway.call("POST", `/api/v1/${resource}`, { as: ben, body: inProperties })).status).toBe(400);
    expect((await gateway.call("GET", `/api/v1/${resource}?key=a%00b`, { as: ben })).status).toBe(400);
  });

  test("are made once by a repeated Idempotency-Key, and its misuse is refused", async () => {
    const call = { as: ben, body: INPUTS[resource], headers: { "idempotency-key": `key-${resource}` } };
    const first = await gateway.call("POST", `/api/v1/${resource}`, call);
    const [second, third] = await Promise.all([
      gateway.call("POST", `/api/v1/${resource}`, call),
      gateway.call("POST", `/api/v1/${resource}`, call),
    ]);
    expect([first.status, second?.status, third?.status]).toEqual([201, 200, 200]);
    expect(second?.text).toBe(first.text);
    expect(second?.headers["idempotency-replayed"]).toBe("true");
    expect(first.headers["idempotency-replayed"]).toBeUndefined();
    const misuse = await gateway.call("POST", `/api/v1/${resource}`, {
      ...call,
      body: { ...INPUTS[resource], key: "other" },
    });
    expect(misuse.status).toBe(409);
    expect(misuse.json.code).toBe("idempotency_key_reused");
    // Another user's key of the same text is another key.
    expect((await gateway.call("POST", `/api/v1/${resource}`, { ...call, as: cleo })).status).toBe(201);
  });

  test("created at the same moment with one Idempotency-Key are one", async () => {
    const call = { as: ben, body: INPUTS[resource], headers: { "idempotency-key": `race-${resource}` } };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => gateway.call("POST", `/api/v1/${resource}`, call)),
    );
    expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([
      200, 200, 200, 200, 201,
    ]);
    expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1);
  });
});

describe("lists", () => {
  const numbered = (rows: readonly { title: string }[]) => rows.map(({ title }) => title);

  test("page by cursor to their end, newest first, each row once", async () => {
    const eve = await gateway.person("Eve");
    const titles = Array.from({ length: 7 }, (_, index) => `task ${index}`);
    for (const title of titles) await create("tasks", eve, { title });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Json = (
        await gateway.call("GET", `/api/v1/tasks?limit=3${cursor === null ? "" : `&cursor=${cursor}`}`, { as: eve })
      ).json;
      seen.push(...numbered(page.rows));
      expect(page.sources[0].truncated).toBe(page.next_cursor !== null);
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(titles.toReversed());
  });

  test("a limit above the highest is clamped, and the answer says so", async () => {
    const { json } = await gateway.call("GET", "/api/v1/tasks?limit=5000", { as: ben });
    expect(json).toMatchObject({ limit: 200, limit_clamped: true });
    expect((await gateway.call("GET", "/api/v1/tasks?limit=200", { as: ben })).json.limit_clamped).toBeUndefined();
  });

  test.each(["0", "-1", "1.5", "abc", "", "1e3", "99999999999"])("limit=%s is refused", async (limit) => {
    const answer = await gateway.call("GET", `/api/v1/tasks?limit=${limit}`, { as: ben });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ code: "invalid_input", path: "limit" });
  });

  test.each([
    ["bogus=1", "bogus"],
    ["status=open&status=done", "status"],
    ["status=late", "status"],
    ["team=somebody", "team"],
    ["limit=1&limit=2", "limit"],
  ])("?%s is refused with the path", async (query, path) => {
    const answer = await gateway.call("GET", `/api/v1/tasks?${query}`, { as: ben });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ code: "invalid_input", path });
  });

  test.each([
    "x",
    "%00",
    Buffer.from("{}").toString("base64url"),
    Buffer.from("[]").toString("base64url"),
    Buffer.from('"local"').toString("base64url"),
    Buffer.from('{"local":"1"}').toString("base64url"),
    Buffer.from('{"local":1}').toString("base64url"),
    Buffer.from('{"elsewhere":null}').toString("base64url"),
    Buffer.from('{"local":null,"__proto__":null}').toString("base64url"),
    Buffer.from('{ "local": null }').toString("base64url"),
    encodeCursor({ local: newId(), [peerPlace("work", newId())]: newId() }),
    `${Buffer.from('{"local":null}').toString("base64url")}=`,
    "a".repeat(9000),
  ])("cursor %s is refused with cursor_invalid", async (cursor) => {
    const answer = await gateway.call("GET", `/api/v1/tasks?cursor=${cursor}`, { as: ben });
    expect(answer.status).toBe(400);
    expect(answer.json.code).toBe("cursor_invalid");
  });

  test("filter by status, by team and by personal", async () => {
    const fay = await gateway.person("Fay");
    const own = await gateway.team("Fay's", fay);
    await create("tasks", fay, { title: "personal" });
    await create("tasks", fay, { title: "team", team_id: own, status: "done" });
    const list = async (query: string) =>
      numbered((await gateway.call("GET", `/api/v1/tasks?${query}`, { as: fay })).json.rows);
    expect(await list("")).toEqual(["team", "personal"]);
    expect(await list("team=personal")).toEqual(["personal"]);
    expect(await list(`team=${own}`)).toEqual(["team"]);
    expect(await list(`team=${team}`)).toEqual([]);
    expect(await list("status=done")).toEqual(["team"]);
  });

  test("a source that is not there is refused with unknown_source", async () => {
    for (const source of ["federated:work", "elsewhere", "federated:"]) {
      for (const path of ["tasks", `tasks/${ben.id}`, "capabilities"]) {
        const answer = await gateway.call("GET", `/api/v1/${path}?source=${source}`, { as: ben });
        expect(answer.status).toBe(404);
        expect(answer.json.code).toBe("unknown_source");
      }
    }
    expect((await gateway.call("GET", "/api/v1/tasks?source=all", { as: ben })).status).toBe(200);
  });

  test("notes carry an excerpt in a list and the body in a get", async () => {
    const { id } = await create("notes", cleo);
    const [row] = (await gateway.call("GET", "/api/v1/notes", { as: cleo })).json.rows;
    expect(row).toMatchObject({ id, excerpt: "# Roofs\n".repeat(25) });
    expect(row).not.toHaveProperty("body");
    expect((await gateway.call("GET", `/api/v1/notes/${id}`, { as: cleo })).json.row.body).toHaveLength(800);
  });

  test("rows are what OpenAPI says of them", async () => {
    for (const { name } of registry) {
      const rows = (await gateway.call("GET", `/api/v1/${name}`, { as: ben })).json.rows;
      const document = (await gateway.call("GET", "/openapi.json")).json;
      const answer = document.paths[`/api/v1/${name}`].get.responses["200"].content["application/json"].schema;
      expect(rows.length).toBeGreaterThan(0);
      expect(Object.keys(rows[0]).toSorted()).toEqual(Object.keys(answer.properties.rows.items.properties).toSorted());
    }
  });
});

describe("credentials", () => {
  test("show the secret only when it is asked for, and store it sealed", async () => {
    const made = await create("credentials", ben, { secret: "a very particular secret" });
    const got = await gateway.call("GET", `/api/v1/credentials/${made.id}`, { as: ben });
    const list = await gateway.call("GET", "/api/v1/credentials", { as: ben });
    for (const { text } of [got, list]) expect(text).not.toContain("particular");
    expect(JSON.stringify(made)).not.toContain("particular");
    const stored = await gateway.store.db.select().from(schema.credentials);
    expect(JSON.stringify(stored)).not.toContain("particular");
    const shown = await gateway.call("POST", `/api/v1/credentials/${made.id}/reveal`, { as: ben });
    expect(shown.json).toEqual({ secret: "a very particular secret" });
    expect(gateway.log.join("\n")).not.toContain("particular");
  });
});

test("capabilities list every resource with what can be done", async () => {
  const { json } = await gateway.call("GET", "/api/v1/capabilities?source=all", { as: ben });
  expect(json.capabilities.local.resources.map(({ name }: { name: string }) => name)).toEqual(
    registry.map(({ name }) => name),
  );
  expect(json).toMatchObject({ partial: false, sources: [{ source: "local", status: "ok" }] });
});

test("an Idempotency-Key keeps no hash by which a credential's secret could be guessed", async () => {
  const body = { name: "door", kind: "pin", secret: "4711" };
  const headers = { "idempotency-key": "guess-me" };
  expect((await gateway.call("POST", "/api/v1/credentials", { as: ben, body, headers })).status).toBe(201);
  expect((await gateway.call("POST", "/api/v1/credentials", { as: ben, body, headers })).status).toBe(200);
  const guess = createHash("sha256")
    .update(JSON.stringify(["credentials", body]))
    .digest("hex");
  const kept = await gateway.store.db.select().from(schema.idempotencyKeys);
  expect(kept.map(({ requestHash }) => requestHash)).not.toContain(guess);
  for (const { requestHash } of kept) expect(requestHash).toMatch(/^v1\./);
});

test("an Idempotency-Key is its user's own: another's creation under the same one is not answered", async () => {
  const call = { body: { title: "mine" }, headers: { "idempotency-key": "shared-by-chance" } };
  const ids = new Set<string>();
  for (const as of [ben, cleo]) {
    const first = await gateway.call("POST", "/api/v1/tasks", { as, ...call });
    const again = await gateway.call("POST", "/api/v1/tasks", { as, ...call });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.json).toMatchObject({ id: first.json.id, owner_id: as.id });
    ids.add(first.json.id);
  }
  expect(ids.size).toBe(2);
});
