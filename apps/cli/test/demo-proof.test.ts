import { describe, expect, test } from "vitest";
import { expectBlended, expectOwnCertificates, WORK_SOURCE } from "../src/demo/proof.ts";
import { type Employee, homeData, tasksAtWork, workData } from "../src/demo/sample-data.ts";
import type { ListBody } from "../src/rows.ts";

const EMPLOYEES: readonly Employee[] = ["Ada", "Grace", "Linus"];

/** What a gateway at home answers, with these of work's tasks. */
function answer(employee: Employee, atWork: readonly string[], partial = false): ListBody {
  const own = homeData[employee].tasks.map(({ input }) => ({ _source: "local", title: input["title"] }));
  return {
    rows: [...own, ...atWork.map((title) => ({ _source: WORK_SOURCE, title }))],
    next_cursor: null,
    limit: 50,
    partial,
    sources: [
      { source: "local", status: "ok", took_ms: 1, rows: own.length, truncated: false },
      { source: WORK_SOURCE, status: "ok", took_ms: 1, rows: atWork.length, truncated: false },
    ],
  };
}

const notAsExpected = (detail: RegExp) =>
  expect.objectContaining({ details: expect.objectContaining({ detail: expect.stringMatching(detail) }) });

describe("the demo's proof that each employee gets only what is theirs", () => {
  test("holds of each employee's own tasks and their teams'", () => {
    for (const employee of EMPLOYEES) expectBlended(answer(employee, tasksAtWork(employee)), employee);
    expect(EMPLOYEES.map((employee) => tasksAtWork(employee).length)).toEqual([6, 10, 5]);
  });

  test("fails when somebody is given one task that is another's", () => {
    for (const employee of EMPLOYEES) {
      const theirs = tasksAtWork(employee);
      for (const { input } of workData.tasks.filter(({ input: { title = "" } }) => !theirs.includes(title))) {
        const leaking = answer(employee, [...theirs, input["title"] ?? ""]);
        expect(() => expectBlended(leaking, employee)).toThrow(notAsExpected(/that are not the \d+ it should give/u));
      }
    }
  });

  test("fails when one task of theirs is missing, or all are", () => {
    for (const employee of EMPLOYEES) {
      for (const rows of [tasksAtWork(employee).slice(1), []]) {
        expect(() => expectBlended(answer(employee, rows), employee)).toThrow(notAsExpected(/it should give/u));
      }
    }
  });

  test("fails when somebody is given the answer to another", () => {
    const toGrace = answer("Grace", tasksAtWork("Grace"));
    expect(() => expectBlended(toGrace, "Linus")).toThrow(notAsExpected(/it should give/u));
  });

  test("fails when the answer is partial", () => {
    const partial = answer("Linus", tasksAtWork("Linus"), true);
    expect(() => expectBlended(partial, "Linus")).toThrow(notAsExpected(/is partial/u));
  });

  const certificate = (serial: string, subject: string) => ({ serial, grant_id: `grant of ${subject}`, subject });

  test("holds of a certificate each", () => {
    expectOwnCertificates([
      { employee: "Ada", certificate: certificate("0a", "Ada") },
      { employee: "Grace", certificate: certificate("0b", "Grace") },
    ]);
  });

  test("fails when a home came as another employee", () => {
    const seen = [{ employee: "Linus" as const, certificate: certificate("0a", "Grace") }];
    expect(() => expectOwnCertificates(seen)).toThrow(notAsExpected(/Linus's home came to work as Grace/u));
  });

  test("fails when two homes came with one certificate", () => {
    const seen = [
      { employee: "Ada" as const, certificate: certificate("0a", "Ada") },
      { employee: "Grace" as const, certificate: certificate("0a", "Grace") },
    ];
    expect(() => expectOwnCertificates(seen)).toThrow(notAsExpected(/the same client certificate/u));
  });
});
