import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Json, openTestGateway, type Person, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;
let ben: Person;
let cleo: Person;

beforeAll(async () => {
  gateway = await openTestGateway();
  ben = await gateway.person("Ben");
  cleo = await gateway.person("Cleo");
  await gateway.team("Platform", ben);
});
afterAll(() => gateway.stop());

const people = (body: object) => gateway.call("POST", "/api/v1/import/people", { as: gateway.admin, body });
const outcomes = (answer: { json: Json }) =>
  answer.json.results.map((result: Json) => result.error?.code ?? result.outcome);

describe("people", () => {
  const file = {
    people: [
      { name: "member-001", teams: ["sig-cli", "sig-node"] },
      { name: "member-002", teams: ["sig-node"] },
      { name: "Zoë Ångström", email: "Zoe@Example.org" },
    ],
    email_domain: "kep.example",
  };

  test("a dry run says what would happen and changes nothing", async () => {
    const before = await gateway.store.db.select().from(schema.users);
    expect(outcomes(await people({ ...file, dry_run: true }))).toEqual(["created", "created", "created"]);
    expect(await gateway.store.db.select().from(schema.users)).toEqual(before);
    expect(await gateway.store.db.select().from(schema.teams).where(eq(schema.teams.name, "sig-cli"))).toEqual([]);
  });

  test("are taken in as many as a request allows, however many their teams are together", async () => {
    const teams = Array.from({ length: 100 }, (_, index) => `guild-${index}`);
    const many = Array.from({ length: 400 }, (_, index) => ({ name: `guild-member-${index}`, teams }));
    const answer = await people({ people: many, email_domain: "guild.example", dry_run: true });
    expect(answer.status).toBe(200);
    expect(new Set(outcomes(answer))).toEqual(new Set(["created"]));
  });

  test("are made with their teams, once", async () => {
    const answer = await people(file);
    expect(outcomes(answer)).toEqual(["created", "created", "created"]);
    expect(answer.json.results.map((result: Json) => result.key)).toEqual([
      "member-001@kep.example",
      "member-002@kep.example",
      "zoe@example.org",
    ]);
    expect(outcomes(await people(file))).toEqual(["unchanged", "unchanged", "unchanged"]);
    const more = { people: [{ name: "member-002", teams: ["sig-node", "sig-cli"] }], email_domain: "kep.example" };
    expect(outcomes(await people(more))).toEqual(["updated"]);
    const members = await gateway.store.db
      .select()
      .from(schema.teamMembers)
      .where(eq(schema.teamMembers.role, "member"));
    expect(members).toHaveLength(4);
  });

  test("one who is wrong stops no other", async () => {
    const answer = await people({
      people: [
        { name: "" },
        "text",
        { name: "ok", email: "ok@example.org" },
        { name: "no e-mail" },
        { name: "x", role: "admin" },
        null,
      ],
    });
    expect(outcomes(answer)).toEqual([
      "invalid_input",
      "invalid_input",
      "created",
      "invalid_input",
      "invalid_input",
      "invalid_input",
    ]);
    expect(answer.json.results[0]).toMatchObject({ index: 0, key: "", error: { remedy: expect.any(String) } });
  });

  test("the same person twice in a request is made once", async () => {
    const twin = { name: "twin", email: "twin@example.org" };
    expect(outcomes(await people({ people: [twin, { ...twin, teams: ["twins"] }] }))).toEqual(["created", "unchanged"]);
    const [team] = await gateway.store.db.select().from(schema.teams).where(eq(schema.teams.name, "twins"));
    const members = await gateway.store.db
      .select()
      .from(schema.teamMembers)
      .where(eq(schema.teamMembers.teamId, team!.id));
    expect(members).toHaveLength(1);
  });

  test("who exists keeps name and role, and gets no password", async () => {
    await people({ people: [{ name: "Impostor", email: "ada@example.org", teams: ["sig-cli"] }] });
    expect((await gateway.call("GET", "/api/v1/me", { as: gateway.admin })).json).toMatchObject({
      name: "Ada",
      role: "admin",
    });
  });

  test("500 people in 20 teams take less than two seconds", async () => {
    const many = Array.from({ length: 500 }, (_, index) => ({
      name: `bulk-${index}`,
      teams: [`team-${index % 20}`, `team-${index % 7}`],
    }));
    const startedAt = performance.now();
    const answer = await people({ people: many, email_domain: "bulk.example" });
    expect(new Set(outcomes(answer))).toEqual(new Set(["created"]));
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });
});

describe("rows", () => {
  const rows = (as: Person, list: unknown[], more: object = {}) =>
    gateway.call("POST", "/api/v1/import/tasks", { as, body: { rows: list, ...more } });

  test("are created, found again by their key, brought up to date, and keep their own times", async () => {
    const row = {
      key: "KEP-1",
      team: "Platform",
      created_at: "2018-11-26T00:00:00Z",
      updated_at: "2018-11-29T00:00:00Z",
      input: { title: "one", status: "open", properties: { stage: "alpha" } },
    };
    expect(outcomes(await rows(ben, [row]))).toEqual(["created"]);
    expect(outcomes(await rows(ben, [row]))).toEqual(["unchanged"]);
    const changed = { ...row, updated_at: "2019-01-01T00:00:00Z", input: { ...row.input, title: "one, edited" } };
    expect(outcomes(await rows(ben, [changed], { dry_run: true }))).toEqual(["updated"]);
    expect(outcomes(await rows(ben, [changed]))).toEqual(["updated"]);
    const [found] = (await gateway.call("GET", "/api/v1/tasks?key=KEP-1", { as: ben })).json.rows;
    expect(found).toMatchObject({
      title: "one, edited",
      team: "Platform",
      owner: "Ben",
      created_at: "2018-11-26T00:00:00.000Z",
      updated_at: "2019-01-01T00:00:00.000Z",
    });
    // Ids come from the creation time, so an old row lists after a new one.
    await gateway.call("POST", "/api/v1/tasks", { as: ben, body: { title: "new" } });
    const titles = (await gateway.call("GET", "/api/v1/tasks", { as: ben })).json.rows.map(({ title }: Json) => title);
    expect(titles).toEqual(["new", "one, edited"]);
  });

  test("a dry run writes nothing", async () => {
    expect(outcomes(await rows(cleo, [{ key: "dry", input: { title: "x" } }], { dry_run: true }))).toEqual(["created"]);
    expect((await gateway.call("GET", "/api/v1/tasks", { as: cleo })).json.rows).toEqual([]);
  });

  test("what is wrong with one stops no other, and each says what", async () => {
    const answer = await rows(cleo, [
      { key: "a", input: { title: "fine" } },
      { key: "b", input: { title: 7 } },
      { key: "c", owner: "Ben", input: { title: "for somebody else" } },
      { key: "d", team: "Platform", input: { title: "in a team of others" } },
      { key: "e", team: "No such team", input: { title: "in no team" } },
      { input: { title: "without a key" } },
      { key: "g", input: { title: "x", key: "other" } },
      { key: "h", input: "text" },
      { key: "i", input: { title: "nul \0" } },
      "text",
      { key: "k", owner: "Cleo", input: { title: "by my own name" } },
      { key: "l", owner: "CLEO@example.org", input: { title: "by my own address" } },
    ]);
    expect(answer.status).toBe(200);
    expect(outcomes(answer)).toEqual([
      "created",
      "invalid_input",
      "not_your_row",
      "unknown_team",
      "unknown_team",
      "invalid_input",
      "created",
      "invalid_input",
      "invalid_input",
      "invalid_input",
      "created",
      "created",
    ]);
    expect(answer.json.results[1]).toMatchObject({
      index: 1,
      key: "b",
      error: { detail: expect.stringContaining("title") },
    });
  });

  test("cannot be moved into a team of others through their input", async () => {
    const own = { key: "trojan", input: { title: "mine" } };
    expect(outcomes(await rows(cleo, [own]))).toEqual(["created"]);
    const [{ id: platform }] = (await gateway.call("GET", "/api/v1/teams?name=Platform", { as: ben })).json.rows;
    const moved = { key: "trojan", input: { title: "theirs", team_id: platform } };
    expect(outcomes(await rows(cleo, [moved]))).toEqual(["invalid_input"]);
    expect((await gateway.call("GET", "/api/v1/tasks?key=trojan", { as: ben })).json.rows).toEqual([]);
  });

  test("an administrator imports for anybody into any team; a name that two have is refused", async () => {
    const answer = await rows(gateway.admin, [
      { key: "for-ben", owner: "Ben", team: "Platform", input: { title: "x" } },
      { key: "for-cleo", owner: "cleo@example.org", input: { title: "personal to Cleo" } },
      { key: "nobody", owner: "Nobody", input: { title: "x" } },
    ]);
    expect(outcomes(answer)).toEqual(["created", "created", "unknown_user"]);
    const mine = await gateway.call("GET", "/api/v1/tasks?key=for-cleo", { as: cleo });
    expect(mine.json.rows).toMatchObject([{ title: "personal to Cleo", owner: "Cleo" }]);
    expect((await gateway.call("GET", "/api/v1/tasks", { as: gateway.admin })).json.rows).toEqual([]);
    await gateway.call("POST", "/api/v1/users", {
      as: gateway.admin,
      body: { name: "Ben", email: "ben2@example.org" },
    });
    expect(outcomes(await rows(gateway.admin, [{ key: "which", owner: "Ben", input: { title: "x" } }]))).toEqual([
      "ambiguous_user",
    ]);
  });

  test("500 rows a request and no more", async () => {
    const many = Array.from({ length: 501 }, (_, index) => ({ key: `many-${index}`, input: { title: "x" } }));
    expect((await rows(ben, many)).json).toMatchObject({ code: "invalid_input", path: "rows" });
    expect((await rows(ben, [])).json).toMatchObject({ code: "invalid_input", path: "rows" });
    expect(new Set(outcomes(await rows(ben, many.slice(0, 500))))).toEqual(new Set(["created"]));
  });

  test("notes and memory are imported too, credentials are not", async () => {
    for (const [resource, input] of [
      ["notes", { title: "n", body: "b" }],
      ["memory", { content: "m" }],
    ] as const) {
      const body = { rows: [{ key: "k", input }] };
      expect(outcomes(await gateway.call("POST", `/api/v1/import/${resource}`, { as: ben, body }))).toEqual([
        "created",
      ]);
    }
    const answer = await gateway.call("POST", "/api/v1/import/credentials", { as: ben, body: { rows: [] } });
    expect(answer.json.code).toBe("route_unknown");
  });

  test("more than 8 MiB are refused with 413", async () => {
    const note = { key: "big", input: { title: "n", body: "b".repeat(900_000) } };
    const call = (count: number) =>
      gateway.call("POST", "/api/v1/import/notes", {
        as: ben,
        body: { rows: Array.from({ length: count }, () => note) },
      });
    expect((await call(8)).status).toBe(200);
    expect((await call(10)).json.code).toBe("body_too_large");
  });
});
