import { newId } from "@mosaicstack/foundation";
import { describe, expect, test } from "vitest";
import {
  capabilitiesRequestSchema,
  capabilitiesResponseSchema,
  federationProblem,
  getRequestSchema,
  getResponseSchema,
  listRequestSchema,
  listResponseSchema,
  MAX_QUERY_LENGTH,
  MAX_REQUEST_BYTES,
  MAX_ROWS,
  MAX_SEARCH_ROWS,
  parseRequest,
  problemResponseSchema,
  searchRequestSchema,
  searchResponseSchema,
  verbPath,
  verbs,
} from "../src/index.ts";
import { problemOf } from "./refusal.ts";

const id = newId();
const list = { resource: "tasks", limit: 50 };
const get = { resource: "tasks", id };
const search = { query: "walnut", limit: 10 };

describe("the verbs", () => {
  test("have these paths and no others", () => {
    expect(verbs.map(verbPath)).toEqual([
      "/federation/v1/list",
      "/federation/v1/get",
      "/federation/v1/search",
      "/federation/v1/capabilities",
    ]);
  });
});

describe("a request", () => {
  test.each([
    ["list: the newest", listRequestSchema, list],
    ["list: one row", listRequestSchema, { ...list, limit: 1 }],
    ["list: as many as there may be", listRequestSchema, { ...list, limit: MAX_ROWS }],
    ["list: from a row on", listRequestSchema, { ...list, before: id }],
    ["list: filtered", listRequestSchema, { ...list, filters: { status: "done", tag: "" } }],
    ["list: by no filter", listRequestSchema, { ...list, filters: {} }],
    ["get", getRequestSchema, get],
    ["search: everything", searchRequestSchema, search],
    ["search: some resources of a team", searchRequestSchema, { ...search, resources: ["tasks"], team: id }],
    ["search: the longest query", searchRequestSchema, { ...search, query: "x".repeat(MAX_QUERY_LENGTH) }],
    ["capabilities", capabilitiesRequestSchema, {}],
  ])("%s, is read as it is", (_, schema, body) => {
    expect(parseRequest<unknown>(schema, body)).toEqual(body);
  });

  const schemas = {
    list: listRequestSchema,
    get: getRequestSchema,
    search: searchRequestSchema,
    capabilities: capabilitiesRequestSchema,
  } as const;
  const refused: readonly (readonly [what: string, verb: keyof typeof schemas, body: unknown, path: string])[] = [
    ["no body", "list", undefined, ""],
    ["null", "list", null, ""],
    ["a text", "list", "tasks", ""],
    ["a list", "list", [list], ""],
    ["no resource", "list", { limit: 1 }, "resource"],
    ["an empty resource", "list", { ...list, resource: "" }, "resource"],
    ["a resource of 65 characters", "list", { ...list, resource: "x".repeat(65) }, "resource"],
    ["a list of resources", "list", { ...list, resource: ["tasks"] }, "resource"],
    ["no limit", "list", { resource: "tasks" }, "limit"],
    ["a limit of none", "list", { ...list, limit: 0 }, "limit"],
    ["a limit below none", "list", { ...list, limit: -1 }, "limit"],
    ["a limit above what there may be", "list", { ...list, limit: MAX_ROWS + 1 }, "limit"],
    ["a limit that is no whole number", "list", { ...list, limit: 1.5 }, "limit"],
    ["a limit as text", "list", { ...list, limit: "50" }, "limit"],
    ["a limit beyond what JSON can say", "list", JSON.parse('{"resource":"tasks","limit":1e400}'), "limit"],
    ["a position that is no id", "list", { ...list, before: "1" }, "before"],
    ["a position in capitals", "list", { ...list, before: id.toUpperCase() }, "before"],
    ["a position that is SQL", "list", { ...list, before: `${id}' or '1'='1` }, "before"],
    ["a position that is null", "list", { ...list, before: null }, "before"],
    ["filters in a list", "list", { ...list, filters: ["status"] }, "filters"],
    ["a filter that is a number", "list", { ...list, filters: { status: 1 } }, "filters.status"],
    ["a filter that is an object", "list", { ...list, filters: { status: { $ne: "" } } }, "filters.status"],
    ["a filter of 513 characters", "list", { ...list, filters: { status: "x".repeat(513) } }, "filters.status"],
    [
      "a filter's name of 65 characters",
      "list",
      { ...list, filters: { ["x".repeat(65)]: "" } },
      `filters.${"x".repeat(65)}`,
    ],
    [
      "a filter's name of 60 kB",
      "list",
      { ...list, filters: { ["x".repeat(60_000)]: "" } },
      `filters.${"x".repeat(191)}…`,
    ],
    ["a wish to act as another", "list", { ...list, subject_user_id: id }, ""],
    ["a source to pass it on to", "list", { ...list, source: "all" }, ""],
    ["a member of 60 kB", "list", { ...list, ["x".repeat(60_000)]: 1 }, ""],
    ["no id", "get", { resource: "tasks" }, "id"],
    ["an id that is none", "get", { ...get, id: "1" }, "id"],
    ["an id in capitals", "get", { ...get, id: id.toUpperCase() }, "id"],
    ["an id with a line end", "get", { ...get, id: `${id}\n` }, "id"],
    ["a list of ids", "get", { ...get, id: [id] }, "id"],
    ["a member it does not know", "get", { ...get, fields: "*" }, ""],
    ["no query", "search", { limit: 10 }, "query"],
    ["a blank query", "search", { ...search, query: " \n" }, "query"],
    ["a query of 513 characters", "search", { ...search, query: "x".repeat(MAX_QUERY_LENGTH + 1) }, "query"],
    ["a query with a NUL", "search", { ...search, query: "wal\0nut" }, "query"],
    ["a query with half a character", "search", { ...search, query: "\ud83d" }, "query"],
    ["a query that is an object", "search", { ...search, query: { $ne: "" } }, "query"],
    ["a search of no resource", "search", { ...search, resources: [] }, "resources"],
    ["a search of one resource as text", "search", { ...search, resources: "tasks" }, "resources"],
    [
      "a search of 51 resources",
      "search",
      { ...search, resources: Array.from({ length: 51 }, () => "x") },
      "resources",
    ],
    ["a search with no limit", "search", { query: "walnut" }, "limit"],
    ["a search for more than there may be", "search", { ...search, limit: MAX_SEARCH_ROWS + 1 }, "limit"],
    ["a search for another", "search", { ...search, subject_user_id: id }, ""],
    ["a member, where there is none", "capabilities", { resource: "tasks" }, ""],
    ["a list, where nothing is asked", "capabilities", [], ""],
    ["a member named __proto__", "capabilities", JSON.parse('{"__proto__":{}}'), ""],
  ];

  test.each(refused)("with %s is refused, naming where", (_, verb, body, path) => {
    const problem = problemOf(() => parseRequest<unknown>(schemas[verb], body));
    expect(problem).toMatchObject({ code: "request_malformed", status: 400, details: { path } });
    expect(problem.message.startsWith(`${path === "" ? "body" : path}: `)).toBe(true);
    // What one gateway refuses, the other must be able to read.
    expect(problemResponseSchema.safeParse(problem.details).success).toBe(true);
  });

  test("that says all it can say of positions and of one filter fits into what is read", () => {
    const full = {
      resource: "x".repeat(64),
      limit: MAX_ROWS,
      before: id,
      filters: { ["x".repeat(64)]: "é".repeat(512) },
    };
    expect(Buffer.byteLength(JSON.stringify(full))).toBeLessThan(MAX_REQUEST_BYTES);
    expect(parseRequest(listRequestSchema, full)).toEqual(full);
  });
});

describe("an answer of a peer", () => {
  const answer = { rows: [{ id, title: "row" }], more: false, limit: 50 };

  test("to list is read, with all members of its rows", () => {
    expect(listResponseSchema.parse(answer)).toEqual(answer);
  });

  test("loses the members it has besides", () => {
    expect(listResponseSchema.parse({ ...answer, source: "local" })).toEqual(answer);
  });

  test.each([
    ["rows without an id", { ...answer, rows: [{ title: "row" }] }],
    ["rows whose id is none", { ...answer, rows: [{ id: "1" }] }],
    ["a row that is null", { ...answer, rows: [null] }],
    ["a row that is a list", { ...answer, rows: [[id]] }],
    [
      "a row with a member named __proto__",
      JSON.parse(`{"rows":[{"id":"${id}","__proto__":{}}],"more":false,"limit":1}`),
    ],
    ["more rows than there may be", { ...answer, rows: Array.from({ length: MAX_ROWS + 1 }, () => ({ id })) }],
    ["rows that are no list", { ...answer, rows: { 0: { id } } }],
    ["no word of more", { rows: [], limit: 1 }],
    ["a limit of none", { ...answer, limit: 0 }],
  ])("to list is refused with %s", (_, body) => {
    expect(listResponseSchema.safeParse(body).success).toBe(false);
  });

  test("to get is read, and refused without a row", () => {
    expect(getResponseSchema.parse({ row: { id, title: "row" } })).toEqual({ row: { id, title: "row" } });
    expect(getResponseSchema.safeParse({ row: null }).success).toBe(false);
    expect(getResponseSchema.safeParse({}).success).toBe(false);
  });

  const one = { resource: "tasks", row: { id, title: "Walnut" }, snippet: "a walnut", score: 0.5 };
  const found = { rows: [one], more: false, limit: 10 };

  test("to search is read, also without a score", () => {
    expect(searchResponseSchema.parse(found)).toEqual(found);
    const { score: _score, ...unscored } = one;
    expect(searchResponseSchema.parse({ ...found, rows: [unscored] }).rows).toEqual([unscored]);
  });

  test.each([
    ["a row without an id", { ...one, row: { title: "Walnut" } }],
    ["a row of no resource", { row: one.row, snippet: "" }],
    ["a snippet of 401 characters", { ...one, snippet: "x".repeat(401) }],
    ["a score below none", { ...one, score: -0.1 }],
    ["a score that outbids all", { ...one, score: 1e9 }],
    ["a score as text", { ...one, score: "1" }],
  ])("to search is refused with %s", (_, row) => {
    expect(searchResponseSchema.safeParse({ ...found, rows: [row] }).success).toBe(false);
  });

  test("to search is refused with more rows than there may be", () => {
    const rows = Array.from({ length: MAX_SEARCH_ROWS + 1 }, () => one);
    expect(searchResponseSchema.safeParse({ ...found, rows }).success).toBe(false);
  });

  test("to capabilities is read, and refused for a subject that is none", () => {
    const capabilities = {
      protocol: 1,
      grant: { id, name: "home", expires_at: null },
      subject: { id, name: "Ada" },
      resources: [{ name: "tasks", verbs: ["list", "get"], filters: ["status"] }],
      max_rows_per_query: 200,
      requests_per_minute: 1200,
      concurrent_requests: 16,
      include_personal: true,
      include_teams: "all",
    };
    expect(capabilitiesResponseSchema.parse(capabilities)).toEqual(capabilities);
    const anonymous = { ...capabilities, subject: { id: "ada", name: "Ada" } };
    expect(capabilitiesResponseSchema.safeParse(anonymous).success).toBe(false);
    expect(capabilitiesResponseSchema.safeParse({ ...capabilities, requests_per_minute: 0 }).success).toBe(false);
  });
});

describe("every refusal of the protocol", () => {
  test.each(Object.keys(federationProblem.table) as (keyof typeof federationProblem.table)[])("%s is read", (code) => {
    const { details, status } = federationProblem(code);
    expect(problemResponseSchema.parse(JSON.parse(JSON.stringify(details)))).toMatchObject({ code, status });
  });

  test.each([
    ["a page of a proxy", "<html>"],
    ["no code", { status: 403, detail: "no" }],
    ["a status as text", { code: "grant_revoked", status: "403", detail: "no" }],
  ])("and %s is none of them", (_, body) => {
    expect(problemResponseSchema.safeParse(body).success).toBe(false);
  });
});
