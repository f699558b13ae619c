import { newId } from "@mosaicstack/foundation";
import type { Scope } from "@mosaicstack/federation-protocol";
import { resourceNamed } from "@mosaicstack/resources";
import { expect, test } from "vitest";
import { boundsOf, coveredResource, visibilityOf } from "../../src/stages/reach.ts";
import { codeOf } from "./code-of.ts";

const ada = newId();
const team = newId();
const scope: Scope = {
  resources: ["tasks", "memory", "credentials"],
  excludedResources: ["credentials"],
  includeTeams: [team],
  includePersonal: false,
  maxRowsPerQuery: 5,
};

test("a resource that is named and not excluded is covered", () => {
  expect(coveredResource(scope, "tasks").name).toBe("tasks");
});

test.each(["credentials", "notes", "nonsense", "__proto__", ""])("resource_not_in_scope: %j", (name) => {
  expect(codeOf(() => coveredResource(scope, name))).toBe("resource_not_in_scope");
});

test("the second wall is around no table of a resource that the scope does not cover, whatever a verb asks for", () => {
  const asked = ["tasks", "credentials", "notes"].map((name) => resourceNamed(name));
  expect(boundsOf(ada, scope, asked).resources).toEqual(["tasks"]);
  expect(boundsOf(ada, scope, asked.slice(1)).resources).toEqual([]);
});

test("both walls have the scope's bounds, and the second the table that is asked for, and no other", () => {
  expect(visibilityOf(ada, scope)).toEqual({ userId: ada, personal: false, teams: [team] });
  expect(boundsOf(ada, scope, [resourceNamed("memory")])).toEqual({
    subjectUserId: ada,
    personal: false,
    teams: [team],
    resources: ["memories"],
  });
});
