import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openTestStore } from "@mosaicstack/harness";
import { describe, expect, test } from "vitest";
import { documentedProblems, errorsDocument } from "../../scripts/repository/errors-document.ts";
import { openApiDocument } from "../../scripts/repository/open-api-document.ts";
import { REPOSITORY } from "./planted-tree.ts";

const document = (name: string): string => readFileSync(join(REPOSITORY, "docs", name), "utf8");

describe("docs/errors.md", () => {
  test("lists exactly the codes of all packages' tables, with their status, sentence and remedy", async () => {
    expect(document("errors.md")).toBe(await errorsDocument(REPOSITORY));
  });

  test("says the same status of a code wherever it comes from", async () => {
    const statuses = new Map<string, Set<number>>();
    for (const { code, status } of await documentedProblems(REPOSITORY)) {
      statuses.set(code, (statuses.get(code) ?? new Set()).add(status));
    }
    expect([...statuses].filter(([, found]) => found.size > 1)).toEqual([]);
  });

  test("has a sentence and a remedy for each, and a code in snake_case", async () => {
    const problems = await documentedProblems(REPOSITORY);
    expect(problems.length).toBeGreaterThan(50);
    for (const { code, status, title, remedy } of problems) {
      expect(code).toMatch(/^[a-z]+(?:_[a-z0-9]+)*$/);
      expect({ code, known: status >= 400 && status < 600 }).toEqual({ code, known: true });
      expect({ code, title: /^[A-Z].*[.:]$/.test(title) }).toEqual({ code, title: true });
      expect({ code, remedy: remedy.length > 10 }).toEqual({ code, remedy: true });
    }
  });
});

test("docs/openapi.json is what a gateway serves; `npx tsx scripts/generate-open-api.ts` renews it", async () => {
  expect(document("openapi.json")).toBe(await openApiDocument(() => openTestStore({ vector: true })));
});
