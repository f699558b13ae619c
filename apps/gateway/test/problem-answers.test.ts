import { Problem } from "@mosaicstack/foundation";
import { resourceProblem } from "@mosaicstack/resources";
import { storageProblem } from "@mosaicstack/storage";
import { expect, test } from "vitest";
import { problemOf } from "../src/http/problem-answers.ts";

const withCode = (code: string) => Object.assign(new Error("an internal message"), { code });
const wrapped = (cause: unknown) => new Error("Failed query: select\nparams: secret", { cause });

test.each([
  ["a problem", resourceProblem("not_found"), 404, "not_found"],
  ["a value the database cannot store", wrapped(withCode("22021")), 400, "invalid_input"],
  ["a number out of its range", withCode("22003"), 400, "invalid_input"],
  ["a server that is shutting down", wrapped(withCode("57P01")), 503, "database_unavailable"],
  ["a server without memory", wrapped(withCode("53200")), 503, "database_unavailable"],
  ["a fault of ours", new TypeError("undefined is not a function"), 500, "internal"],
  ["a broken rule that no route expects", wrapped(withCode("23514")), 500, "internal"],
  ["something thrown that is no error", "text", 500, "internal"],
])("%s", (_, error, status, code) => {
  const problem = problemOf(error);
  expect(problem).toBeInstanceOf(Problem);
  expect({ status: problem.status, code: problem.code }).toEqual({ status, code });
  expect(JSON.stringify(problem.details)).not.toMatch(/internal message|secret|undefined is not|select/);
});

test.each([
  ["thrown by a query", (problem: Problem) => problem],
  ["wrapped by drizzle", wrapped],
])("a database that cannot be reached, %s, is not said to be anywhere", (_, dress) => {
  const down = storageProblem("database_unreachable", { detail: "PostgreSQL at db.internal:5432 can't be reached." });
  const problem = problemOf(dress(down));
  expect(problem.code).toBe("database_unavailable");
  expect(JSON.stringify(problem.details)).not.toContain("db.internal");
});
