import { Problem } from "@mosaicstack/foundation";
import { describe, expect, test } from "vitest";
import { exitCodes, exitNameOf } from "../src/exit-codes.ts";
import { cliProblem } from "../src/problems.ts";

const problem = (status: number, code = "some_code"): Problem => new Problem(code, { status, title: "t", remedy: "r" });

describe("exit status", () => {
  test("is the documented one", () => {
    expect(Object.values(exitCodes).map(({ status }) => status)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
  });

  test.each([
    [400, "usage"],
    [401, "denied"],
    [403, "denied"],
    [404, "notFound"],
    [409, "conflict"],
    [410, "conflict"],
    [429, "rateLimited"],
    [500, "failure"],
    [502, "unreachable"],
    [503, "unreachable"],
    [504, "unreachable"],
    [418, "failure"],
  ] as const)("of a problem with status %i is %s", (status, name) => {
    expect(exitNameOf(problem(status))).toBe(name);
  });

  test.each([
    [cliProblem("interrupted"), "interrupted"],
    [cliProblem("profile_unknown"), "config"],
    [cliProblem("gateway_untrusted"), "unreachable"],
    [problem(500, "config_invalid"), "config"],
    [problem(503, "data_directory_locked"), "conflict"],
    [cliProblem("not_signed_in"), "denied"],
    [cliProblem("reference_ambiguous"), "conflict"],
    [new Error("a bug"), "failure"],
    ["not even an error", "failure"],
  ] as const)("of %s is %s", (error, name) => {
    expect(exitNameOf(error)).toBe(name);
  });
});
