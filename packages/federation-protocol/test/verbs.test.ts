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
  MAX_REQUEST_BYTES,
  MAX_ROWS,
  parseRequest,
  problemResponseSchema,
  verbPath,
  verbs,
} from "../src/index.ts";
import { problemOf } from "./refusal.ts";

const id = newId();
const list = { resource: "tasks", limit: 50 };
const get = { resource: "tasks", id };

describe("the verbs", () => {
  test("have these paths and no others", () => {
    expect(verbs.map(verbPath)).toEqual(["/federation/v1/list", "/federation/v1/get", "/federation/v1/capabilities"]);
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
    ["capabilities", capabilitiesRequestSchema, {}],
  ])("%s, is read as it is", (_, schema, body) => {
    expect(parseRequest<unknown>(schema, body)).toEqual(body);
  });

  const schemas = { list: listRequestSchema, get: getRequestSchema, capabilities: capabilitiesRequestSchema } as const;
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

  test("cannot give a row members by a prototype", () => {
    const text = `{"rows":[{"id":"${id}","__proto__":{"_source":"local"}}],"more":false,"limit":1}`;
    const [row] = listResponseSchema.parse(JSON.parse(text)).rows;
    expect(row?.["_source"]).toBeUndefined();
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
  });

  test.each([
    ["rows without an id", { ...answer, rows: [{ title: "row" }] }],
    ["rows whose id is none", { ...answer, rows: [{ id: "1" }] }],
    ["a row that is null", { ...answer, rows: [null] }],
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

  test("to capabilities is read, and refused for a subject that is none", () => {
    const capabilities = {
      protocol: 1,
      grant: { id, name: "home", expires_at: null },
      subject: { id, name: "Ada" },
      resources: [{ name: "tasks", verbs: ["list", "get"], filters: ["status"] }],
      max_rows_per_query: 200,
      include_personal: true,
      include_teams: "all",
    };
    expect(capabilitiesResponseSchema.parse(capabilities)).toEqual(capabilities);
    const anonymous = { ...capabilities, subject: { id: "ada", name: "Ada" } };
    expect(capabilitiesResponseSchema.safeParse(anonymous).success).toBe(false);
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
    ["a detail of more than 2000 characters", { code: "grant_revoked", status: 403, detail: "x".repeat(2001) }],
  ])("and %s is none of them", (_, body) => {
    expect(problemResponseSchema.safeParse(body).success).toBe(false);
  });
});
