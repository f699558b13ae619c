import { newId } from "@mosaicstack/foundation";
import { describe, expect, test } from "vitest";
import { covers, MAX_ROWS, parseScope, problemResponseSchema, scopeOf } from "../src/index.ts";
import { problemOf } from "./refusal.ts";

const resources = ["tasks", "notes", "memory"];
const team = newId();
const personal = { resources: ["tasks"], include_personal: true };
const filled = { excluded_resources: [], include_teams: [], include_personal: false, max_rows_per_query: 200 };
const own = (json: string) => JSON.parse(json) as unknown;

const valid: readonly (readonly [what: string, input: object, output: object])[] = [
  ["personal rows of one resource", personal, { ...filled, ...personal }],
  [
    "one team",
    { resources: ["notes"], include_teams: [team] },
    { ...filled, resources: ["notes"], include_teams: [team] },
  ],
  [
    "all teams",
    { resources: ["notes"], include_teams: "all" },
    { ...filled, resources: ["notes"], include_teams: "all" },
  ],
  [
    "an exclusion that leaves something",
    { ...personal, resources, excluded_resources: ["notes"] },
    { ...filled, ...personal, resources, excluded_resources: ["notes"] },
  ],
  [
    "an exclusion of what is not named",
    { ...personal, excluded_resources: ["notes"] },
    { ...filled, ...personal, excluded_resources: ["notes"] },
  ],
  ["one row a query", { ...personal, max_rows_per_query: 1 }, { ...filled, ...personal, max_rows_per_query: 1 }],
  [
    "as many rows as there may be",
    { ...personal, max_rows_per_query: MAX_ROWS },
    { ...filled, ...personal, max_rows_per_query: MAX_ROWS },
  ],
  [
    "five hundred teams",
    { resources: ["tasks"], include_teams: Array.from({ length: 500 }, () => team) },
    { ...filled, resources: ["tasks"], include_teams: Array.from({ length: 500 }, () => team) },
  ],
];

const UNKNOWN_KEY = 'Unrecognized key: "';
const TEAM = "must be a UUID in lower case";
const TEAMS = 'must be "all" or a list of at most 500 team ids';
const NO_ROWS = "exposes no rows: include personal rows or at least one team";
const NOTHING_LEFT = "excludes every resource the scope names";

const invalid: readonly (readonly [what: string, input: unknown, path: string, says: string])[] = [
  ["nothing", undefined, "", "scope: "],
  ["null", null, "", "scope: "],
  ["a text", "tasks", "", "scope: "],
  ["a list", [personal], "", "scope: "],
  ["an empty object", {}, "resources", "expected array"],

  ["no resource", { ...personal, resources: [] }, "resources", "names no resource"],
  ["a resource that is not in a list", { ...personal, resources: "tasks" }, "resources", "expected array"],
  [
    "every resource by a star",
    { ...personal, resources: ["*"] },
    "resources.0",
    'unknown resource "*"; there are tasks, notes, memory',
  ],
  [
    "an unknown resource",
    { ...personal, resources: ["tasks", "secrets"] },
    "resources.1",
    'unknown resource "secrets"',
  ],
  ["a resource in capitals", { ...personal, resources: ["Tasks"] }, "resources.0", "unknown resource"],
  ["a resource with a blank", { ...personal, resources: ["tasks "] }, "resources.0", "unknown resource"],
  [
    "a resource by the name of a prototype's member",
    { ...personal, resources: ["toString"] },
    "resources.0",
    "unknown resource",
  ],
  ["a resource named __proto__", { ...personal, resources: ["__proto__"] }, "resources.0", "unknown resource"],
  ["a resource that is a number", { ...personal, resources: [1] }, "resources.0", "expected string"],
  ["a resource of 50 kB", { ...personal, resources: ["x".repeat(50_000)] }, "resources.0", "Too big"],
  ["51 resources", { ...personal, resources: Array.from({ length: 51 }, () => "tasks") }, "resources", "Too big"],

  [
    "an unknown exclusion",
    { ...personal, excluded_resources: ["secrets"] },
    "excluded_resources.0",
    "unknown resource",
  ],
  ["the exclusion of all it names", { ...personal, excluded_resources: ["tasks"] }, "excluded_resources", NOTHING_LEFT],
  ["the exclusion of null", { ...personal, excluded_resources: null }, "excluded_resources", "expected array"],

  ["neither personal rows nor a team", { resources: ["tasks"] }, "include_personal", NO_ROWS],
  ["an empty list of teams alone", { resources: ["tasks"], include_teams: [] }, "include_personal", NO_ROWS],
  [
    "personal rows by a text",
    { resources: ["tasks"], include_personal: "yes" },
    "include_personal",
    "expected boolean",
  ],
  ["personal rows by a number", { resources: ["tasks"], include_personal: 1 }, "include_personal", "expected boolean"],

  ["all teams in capitals", { ...personal, include_teams: "ALL" }, "include_teams", TEAMS],
  ["all teams within a list", { ...personal, include_teams: ["all"] }, "include_teams.0", TEAM],
  ["teams as null", { ...personal, include_teams: null }, "include_teams", TEAMS],
  ["a team by its name", { ...personal, include_teams: [team, "compilers"] }, "include_teams.1", TEAM],
  [
    "a team's id in capitals",
    { ...personal, include_teams: ["0190A3F0-0000-7000-8000-00000000000A"] },
    "include_teams.0",
    TEAM,
  ],
  ["a team's id with a line end", { ...personal, include_teams: [`${team}\n`] }, "include_teams.0", TEAM],
  ["a team's id without hyphens", { ...personal, include_teams: [team.replaceAll("-", "")] }, "include_teams.0", TEAM],
  ["501 teams", { ...personal, include_teams: Array.from({ length: 501 }, () => team) }, "include_teams", TEAMS],

  ["no rows a query", { ...personal, max_rows_per_query: 0 }, "max_rows_per_query", ">=1"],
  ["less than no rows", { ...personal, max_rows_per_query: -1 }, "max_rows_per_query", ">=1"],
  ["more rows than there may be", { ...personal, max_rows_per_query: MAX_ROWS + 1 }, "max_rows_per_query", "<=1000"],
  ["half a row", { ...personal, max_rows_per_query: 0.5 }, "max_rows_per_query", "int"],
  ["rows as a text", { ...personal, max_rows_per_query: "10" }, "max_rows_per_query", "number"],
  ["rows without end", { ...personal, max_rows_per_query: Infinity }, "max_rows_per_query", "number"],
  ["null rows", { ...personal, max_rows_per_query: null }, "max_rows_per_query", "number"],

  ["a member it does not know", { ...personal, include_all: true }, "", `${UNKNOWN_KEY}include_all"`],
  ["a member in another case", { ...personal, includeTeams: "all" }, "", `${UNKNOWN_KEY}includeTeams"`],
  ["a member named constructor", { ...personal, constructor: {} }, "", `${UNKNOWN_KEY}constructor"`],
  [
    "a member named __proto__",
    own('{"resources":["tasks"],"include_personal":true,"__proto__":{}}'),
    "",
    `${UNKNOWN_KEY}__proto__"`,
  ],
  [
    "personal rows by a prototype",
    own('{"resources":["tasks"],"__proto__":{"include_personal":true}}'),
    "",
    `${UNKNOWN_KEY}__proto__"`,
  ],
  ["a member of 50 kB", { ...personal, ["x".repeat(50_000)]: 1 }, "", UNKNOWN_KEY],
];

describe("parseScope", () => {
  test.each(valid)("accepts %s, and fills in what is left out", (_, input, output) => {
    expect(parseScope(input, resources)).toEqual(output);
  });

  test.each(valid)("reads what it made of %s as the same", (_, input, output) => {
    expect(parseScope(JSON.parse(JSON.stringify(parseScope(input, resources))), resources)).toEqual(output);
  });

  test.each(invalid)("refuses %s, naming where", (_, input, path, says) => {
    const problem = problemOf(() => parseScope(input, resources));
    expect(problem).toMatchObject({ code: "scope_invalid", status: 400, details: { path } });
    expect(problem.message).toContain(says);
    // What one gateway refuses, the other must be able to read.
    expect(problemResponseSchema.safeParse(problem.details).success).toBe(true);
  });

  test("gives each scope lists of its own", () => {
    const scope = parseScope(personal, resources);
    scope.excluded_resources.push("tasks");
    expect(parseScope(personal, resources)).toEqual({ ...filled, ...personal });
  });
});

describe("scopeOf, of what is stored", () => {
  test("is the scope in the words of the code", () => {
    const stored = { ...filled, ...personal, include_teams: [team], excluded_resources: ["notes"] };
    expect(scopeOf(stored, resources)).toEqual({
      resources: ["tasks"],
      excludedResources: ["notes"],
      includeTeams: [team],
      includePersonal: true,
      maxRowsPerQuery: 200,
    });
  });

  test.each([
    ["a resource that is no more", { ...filled, ...personal, resources: ["tasks", "wiki"] }],
    ["an exclusion that is no more", { ...filled, ...personal, excluded_resources: ["wiki"] }],
    ["a member of a later version", { ...filled, ...personal, redacted_fields: ["title"] }],
    ["nothing", null],
  ])("is a fault with %s, and never a wider scope", (_, stored) => {
    expect(() => scopeOf(stored, resources)).toThrow("a stored scope is not valid");
  });
});

describe("covers", () => {
  const scope = scopeOf({ ...personal, resources: ["tasks", "notes"], excluded_resources: ["notes"] }, resources);
  test("a resource that is named", () => expect(covers(scope, "tasks")).toBe(true));
  test("not one that is named and excluded", () => expect(covers(scope, "notes")).toBe(false));
  test("not one that is not named", () => expect(covers(scope, "memory")).toBe(false));
  test("not one that is unknown", () => expect(covers(scope, "")).toBe(false));
});
