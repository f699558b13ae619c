import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Json, openTestGateway, type Person, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;
let ben: Person;
let cleo: Person;
let team: string;

const SEARCHED = ["tasks", "notes", "memory", "credentials"] as const;

async function create(as: Person, resource: string, body: object): Promise<string> {
  const answer = await gateway.call("POST", `/api/v1/${resource}`, { as, body });
  expect(answer.status, answer.text).toBe(201);
  return answer.json.id;
}

function search(as: Person, query: Readonly<Record<string, string | number | readonly string[]>>): Promise<Json> {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, String(one)] as [string, string]),
  );
  return gateway.call("GET", `/api/v1/search?${new URLSearchParams(parameters)}`, { as });
}

async function found(as: Person, query: Parameters<typeof search>[1]): Promise<Json[]> {
  const answer = await search(as, query);
  expect(answer.status, answer.text).toBe(200);
  return answer.json.rows;
}

const idsOf = (rows: Json[]): string[] => rows.map(({ row }) => row.id);

beforeAll(async () => {
  gateway = await openTestGateway();
  ben = await gateway.person("Ben");
  cleo = await gateway.person("Cleo");
  team = await gateway.team("Platform", ben, cleo);
});
afterAll(() => gateway.stop());

describe("a search", () => {
  test("finds rows of every resource by their words, as a list has them, with where they were found", async () => {
    const ids = {
      tasks: await create(ben, "tasks", { title: "Order a walnut table", description: "from the joiner" }),
      notes: await create(ben, "notes", { title: "Timber", body: `${"Oak and ash. ".repeat(300)}Walnuts are dear.` }),
      memory: await create(ben, "memory", { content: "Ben likes walnut best." }),
      credentials: await create(ben, "credentials", { name: "walnut shop", kind: "password", secret: "s3cr3t" }),
    };
    const answer = await search(ben, { q: "walnut" });
    expect(answer.json).toMatchObject({
      more: false,
      limit: 20,
      partial: false,
      sources: [{ source: "local", rows: 4 }],
    });
    for (const resource of SEARCHED) {
      const one = answer.json.rows.find((row: Json) => row.resource === resource);
      const listed = await gateway.call("GET", `/api/v1/${resource}`, { as: ben });
      expect(one.row).toEqual(listed.json.rows.find(({ id }: Json) => id === ids[resource]));
      expect(one.row._source).toBe("local");
      expect(one.snippet.length).toBeLessThanOrEqual(200);
    }
    expect(answer.json.rows.find((row: Json) => row.resource === "notes").snippet).toContain("Walnuts are dear");
    expect(answer.text).not.toContain("s3cr3t");
  });

  test("finds a credential by what it is for, and never by its secret", async () => {
    await create(ben, "credentials", { name: "mail", kind: "token", secret: "xylophonium" });
    expect(await found(ben, { q: "xylophonium" })).toEqual([]);
  });

  test("finds a misspelt title", async () => {
    const id = await create(ben, "notes", { title: "Kubernetes scheduling profiles", body: "" });
    expect(idsOf(await found(ben, { q: "kubrnetes shceduling profles" }))).toContain(id);
  });

  test("finds rows that have some of the words where none has them all, those with more of them first", async () => {
    for (let number = 0; number < 5; number += 1) await create(cleo, "tasks", { title: `Paint fence ${number}` });
    const id = await create(cleo, "tasks", { title: "Paint the marmalade shed" });
    const rows = await found(cleo, { q: "paint marmalade hovercraft" });
    expect(rows[0].row.id).toBe(id);
    expect(rows).toHaveLength(6);
  });

  test("honours quotes, minus and or", async () => {
    const together = await create(cleo, "notes", { title: "green door handle" });
    const apart = await create(cleo, "notes", { title: "door of green" });
    expect(idsOf(await found(cleo, { q: '"green door"' }))).toEqual([together]);
    expect(idsOf(await found(cleo, { q: "green door -handle" }))).toEqual([apart]);
    expect(new Set(idsOf(await found(cleo, { q: "handle or nosuchword" })))).toEqual(new Set([together]));
  });

  test("is cut to resources, team and limit", async () => {
    const own = await create(ben, "tasks", { title: "quokka own" });
    const shared = await create(ben, "notes", { title: "quokka of the team", team_id: team });
    const memory = await create(ben, "memory", { content: "quokka" });
    expect(new Set(idsOf(await found(ben, { q: "quokka" })))).toEqual(new Set([own, shared, memory]));
    expect(idsOf(await found(ben, { q: "quokka", resource: "tasks" }))).toEqual([own]);
    expect(new Set(idsOf(await found(ben, { q: "quokka", resource: ["tasks", "notes"] })))).toEqual(
      new Set([own, shared]),
    );
    expect(idsOf(await found(ben, { q: "quokka", team }))).toEqual([shared]);
    expect(new Set(idsOf(await found(ben, { q: "quokka", team: "personal" })))).toEqual(new Set([own, memory]));
    const one = await search(ben, { q: "quokka", limit: 1 });
    expect(one.json).toMatchObject({ more: true, sources: [{ rows: 1, truncated: true }] });
    expect((await search(ben, { q: "quokka", limit: 5000 })).json).toMatchObject({ limit: 100, limit_clamped: true });
  });

  test("is answered the same each time, equal rows newest first", async () => {
    const ids: string[] = [];
    for (let number = 0; number < 8; number += 1) ids.push(await create(cleo, "tasks", { title: "identical twin" }));
    const first = idsOf(await found(cleo, { q: "identical twin" }));
    expect(first).toEqual(ids.toReversed());
    expect(idsOf(await found(cleo, { q: "identical twin" }))).toEqual(first);
  });

  test("finds what was edited by its new words alone, and nothing that was deleted", async () => {
    const id = await create(ben, "notes", { title: "platypus" });
    await gateway.call("PATCH", `/api/v1/notes/${id}`, { as: ben, body: { title: "echidna" } });
    expect(await found(ben, { q: "platypus" })).toEqual([]);
    expect(idsOf(await found(ben, { q: "echidna" }))).toEqual([id]);
    await gateway.call("DELETE", `/api/v1/notes/${id}`, { as: ben });
    expect(await found(ben, { q: "echidna" })).toEqual([]);
  });
});

describe("who finds what", () => {
  test("another's row is not found, by its words, its misspelt title or its team", async () => {
    const eve = await gateway.person("Eve");
    const others = await gateway.team("Others", eve);
    await create(eve, "notes", { title: "Zanzibar expedition", body: "aardvark" });
    await create(eve, "tasks", { title: "Zanzibar tickets", team_id: others });
    for (const q of ["zanzibar", "zanzibr expediton", "aardvark", "zanzibar nothing"]) {
      expect(await found(ben, { q }), q).toEqual([]);
      expect(await found(ben, { q, team: others }), q).toEqual([]);
      expect((await found(eve, { q })).length, q).toBeGreaterThan(0);
    }
  });

  test("a former member finds nothing of the team any more", async () => {
    const dan = await gateway.person("Dan");
    const crew = await gateway.team("Crew", ben, dan);
    await create(ben, "notes", { title: "wolverine", team_id: crew });
    expect(await found(dan, { q: "wolverine" })).toHaveLength(1);
    await gateway.call("DELETE", `/api/v1/teams/${crew}/members/${dan.id}`, { as: ben });
    expect(await found(dan, { q: "wolverine" })).toEqual([]);
  });

  test("nobody without a key: 401", async () => {
    const { status, json } = await gateway.call("GET", "/api/v1/search?q=walnut");
    expect({ status, code: json.code }).toEqual({ status: 401, code: "unauthenticated" });
  });
});

describe("what is refused", () => {
  test.each([
    ["no query", {}, "q"],
    ["a blank query", { q: "  " }, "q"],
    ["a query of more than 512 characters", { q: "x".repeat(513) }, "q"],
    ["ten thousand words", { q: "word ".repeat(10_000) }, "q"],
    ["a NUL", { q: "wal\0nut" }, "q"],
    ["an unknown resource", { q: "walnut", resource: "secrets" }, "resource"],
    ["a resource that is not searched", { q: "walnut", resource: "teams" }, "resource"],
    ["a team that is no id", { q: "walnut", team: "'; drop table notes" }, "team"],
    ["a limit of 0", { q: "walnut", limit: 0 }, "limit"],
  ])("%s: 400", async (_, query, path) => {
    const { status, json } = await search(ben, query);
    expect({ status, code: json.code }).toEqual({ status: 400, code: "invalid_input" });
    expect(json.path).toContain(path);
  });

  test("another gateway, where there is no federation: 404", async () => {
    const { status, json } = await search(ben, { q: "walnut", source: "federated:work" });
    expect({ status, code: json.code }).toEqual({ status: 404, code: "unknown_source" });
  });

  // What a search engine might take for its own language, or a database for its.
  const HOSTILE = [
    "&",
    "|",
    "!",
    "!!",
    "a & | b",
    "a <-> b",
    "<->",
    "(((",
    ")",
    "a:*",
    ":A",
    "a:ABCD*",
    '"',
    '"a',
    'a"b"c"',
    '""',
    "-",
    "--",
    "-a",
    "- -",
    "or",
    "or or or",
    "a or",
    "or a",
    "-or",
    '-"a b',
    "'",
    "''",
    "'; drop table notes; --",
    "$1",
    "$$",
    "\\",
    "\\\\'",
    "%",
    "_",
    "%%%",
    "🙈",
    "👩‍👩‍👧‍👦 family",
    "‮evil",
    "\u200b",
    "é̂̃̄",
    "漢字 検索",
    "ﷺ".repeat(100),
    "a".repeat(512),
    "a ".repeat(256),
    "🙈".repeat(256),
    '"'.repeat(512),
    "-x ".repeat(170),
    "or ".repeat(170),
    "\n\t\r",
    "http://a.b/c?d=e&f|g",
    "a@b.c",
    "1e999",
    "-1",
    "<b>x</b>",
    "{}[]",
    "\ufeffx",
    "\uffff",
  ];
  test("no query in any language of its own: rows or 400, never 500", async () => {
    for (const q of HOSTILE) {
      const { status, text } = await search(ben, { q });
      expect([200, 400], `${JSON.stringify(q)}: ${text}`).toContain(status);
    }
    const generated = Array.from("ab\"'-|&!()<>:*\\ or\u0301🙈");
    for (let number = 0; number < 150; number += 1) {
      const q = Array.from(
        { length: 1 + (number % 40) },
        (_, at) => generated[(number * 7919 + at * at * 31) % generated.length],
      ).join("");
      const { status, text } = await search(ben, { q });
      expect([200, 400], `${JSON.stringify(q)}: ${text}`).toContain(status);
    }
  });

  test("a row of hostile text is found and cut without harm", async () => {
    const body = `${"<script>alert(1)</script> ' \" \\ $1 %s ".repeat(50)}needleword${" 🙈".repeat(500)}`;
    const id = await create(ben, "notes", { title: "x".repeat(500), body });
    const [one] = await found(ben, { q: "needleword" });
    expect(one.row.id).toBe(id);
    expect(one.snippet).toContain("needleword");
    expect([...one.snippet].length).toBeLessThanOrEqual(200);
    expect(one.snippet).not.toContain("<b>");
  });
});
