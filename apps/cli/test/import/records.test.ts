import { describe, expect, test } from "vitest";
import { understandNote } from "../../src/import/note-records.ts";
import { understandPerson } from "../../src/import/person-records.ts";
import { understandTask } from "../../src/import/task-records.ts";
import { readTaskStatus } from "../../src/import/task-status.ts";

const task = (record: Record<string, unknown>) => {
  const understood = understandTask(record);
  if (understood.kind === "fault") throw new Error(understood.detail);
  return understood;
};

describe("a task", () => {
  test("of the real data", () => {
    const { row, warnings } = task({
      key: "KEP-2625",
      title: "SMT aware cpumanager policy",
      status: "implementable",
      team: "sig-node",
      owner: "member-327",
      assignees: ["member-327"],
      created: "2021-04-14",
      updated: "v1.34",
      stage: "stable",
      related: [],
    });
    expect(row).toEqual({
      key: "KEP-2625",
      owner: "member-327",
      team: "sig-node",
      created_at: "2021-04-14T00:00:00.000Z",
      input: {
        title: "SMT aware cpumanager policy",
        status: "in_progress",
        properties: {
          assignees: ["member-327"],
          stage: "stable",
          related: [],
          status: "implementable",
          updated: "v1.34",
        },
      },
    });
    expect(warnings).toEqual(['"updated" is not a date: "v1.34".']);
  });

  test.each([
    [{ name: "a" }, "a"],
    [{ Summary: "b" }, "b"],
    [{ TITLE: " c\n d " }, "c d"],
    [{ title: 7 }, "7"],
    [{ title: null, name: "d" }, "d"],
    [{ title: "e\u0301" }, "\u00e9"],
  ])("%j has a title", (record, title) => {
    expect(task(record).row.input["title"]).toBe(title);
  });

  test("names of members may be written otherwise", () => {
    const { row } = task({
      Title: "a",
      "Due Date": "2026-01-02",
      created_at: "2026-01-01",
      "Updated-At": "2026-01-03",
      ID: "X-1",
      State: "Done",
    });
    expect(row).toMatchObject({
      key: "X-1",
      created_at: "2026-01-01T00:00:00.000Z",
      updated_at: "2026-01-03T00:00:00.000Z",
      input: { due_at: "2026-01-02T00:00:00.000Z", status: "done", properties: { status: "Done" } },
    });
  });

  test("without a title it is a fault", () => {
    expect(understandTask({ key: "a" })).toEqual({ kind: "fault", detail: "The task has no title." });
    expect(understandTask({ title: "  " })).toMatchObject({ kind: "fault" });
    expect(understandTask({ title: ["a"] })).toMatchObject({ kind: "fault", detail: '"title" must be text.' });
    expect(understandTask({ title: "a", owner: { name: "x" } })).toMatchObject({
      kind: "fault",
      detail: '"owner" must be text.',
    });
  });

  test("a status nobody knows is open, with a warning, and kept", () => {
    const { row, warnings } = task({ title: "a", status: "imlpemented" });
    expect(row.input).toMatchObject({ status: "open", properties: { status: "imlpemented" } });
    expect(warnings).toEqual(['The status "imlpemented" is not known; the task is open.']);
  });

  test("a status that is the gateway's own word is not kept twice", () => {
    expect(task({ title: "a", status: "in_progress" }).row.input).toEqual({
      title: "a",
      status: "in_progress",
      properties: {},
    });
  });

  test.each(["yyyy-mm-dd", "", "2024-13-01"])("a date that is none (%j) costs nothing else", (created) => {
    const { row, warnings } = task({ title: "a", created, due: "2026-01-01", updated: "2026-01-02" });
    expect(row.created_at).toBeUndefined();
    expect(row).toMatchObject({
      updated_at: "2026-01-02T00:00:00.000Z",
      input: { due_at: "2026-01-01T00:00:00.000Z", properties: { created } },
    });
    expect(warnings).toHaveLength(1);
  });

  test("an empty due date is no warning: most tasks have none", () => {
    expect(task({ title: "a", due: "" }).warnings).toEqual([]);
  });

  test("a title that is too long is cut, and kept whole", () => {
    const long = "x".repeat(600);
    const { row, warnings } = task({ title: long });
    expect(row.input["title"]).toBe(`${"x".repeat(499)}…`);
    expect(row.input["properties"]).toEqual({ title: long });
    expect(warnings).toHaveLength(1);
  });

  test("its properties go back to where they were", () => {
    expect(task({ title: "a", properties: { x: 1 }, y: 2 }).row.input["properties"]).toEqual({ x: 1, y: 2 });
  });

  test("without a key it gets one that its work does not change", () => {
    const before = task({ title: "a", status: "open", team: "T", created: "2026-01-01" });
    const after = task({
      title: "a",
      status: "done",
      team: "T",
      created: "2026-01-01",
      updated: "2026-01-05",
      priority: "A",
    });
    expect(before.keyIsMade).toBe(true);
    expect(before.row.key).toBe(after.row.key);
    expect(task({ title: "b", team: "T" }).row.key).not.toBe(before.row.key);
    expect(task({ title: "a", key: "K" }).keyIsMade).toBeUndefined();
  });

  test("a member called __proto__ harms nobody", () => {
    const { row } = task(JSON.parse('{"title":"a","__proto__":{"polluted":true}}') as Record<string, unknown>);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(row.input["title"]).toBe("a");
  });
});

describe("status words", () => {
  test.each([
    ["implemented", "done"],
    ["Closed", "done"],
    ["completed", "done"],
    ["provisional", "open"],
    ["to-do", "open"],
    ["backlog", "open"],
    ["In Progress", "in_progress"],
    ["in_progress", "in_progress"],
    ["doing", "in_progress"],
    ["started", "in_progress"],
    ["implementable", "in_progress"],
    ["rejected", "cancelled"],
    ["withdrawn", "cancelled"],
    ["replaced", "cancelled"],
    ["superseded", "cancelled"],
    ["removed", "cancelled"],
    ["deferred", "cancelled"],
    ["won’t fix", "cancelled"],
    ["wontfix", "cancelled"],
    ["whatever", undefined],
    ["", undefined],
    ["constructor", undefined],
  ])("%s is %s", (word, status) => {
    expect(readTaskStatus(word)).toBe(status);
  });
});

describe("a note", () => {
  test("of the real data", () => {
    expect(understandNote({ key: "KEP-1", title: "KEP-1: x", team: "sig-a", owner: "m", markdown: "# x\n" })).toEqual({
      kind: "row",
      warnings: [],
      row: { key: "KEP-1", team: "sig-a", owner: "m", input: { title: "KEP-1: x", body: "# x\n", properties: {} } },
    });
  });

  test("without a title goes by its key; without either it is a fault", () => {
    expect(understandNote({ key: "a/b.md", body: "x" })).toMatchObject({ row: { input: { title: "a/b.md" } } });
    expect(understandNote({ markdown: "x" })).toMatchObject({ kind: "fault" });
    expect(understandNote({ title: "a", markdown: 1 })).toMatchObject({
      kind: "fault",
      detail: '"markdown" must be text.',
    });
  });

  test("its text is not touched", () => {
    const markdown = "  # x\r\n\te\u0301  \n\n";
    expect(understandNote({ title: "a", markdown })).toMatchObject({ row: { input: { body: markdown } } });
  });
});

describe("a person", () => {
  test.each([
    [
      { name: "Ada", teams: ["A", "B", "A"] },
      { name: "Ada", teams: ["A", "B"] },
    ],
    [
      { Name: "Ada", "E-Mail": "ada@x.org", Teams: "A; B|C, D" },
      { name: "Ada", email: "ada@x.org", teams: ["A", "B", "C", "D"] },
    ],
    [{ name: "Ada" }, { name: "Ada", teams: [] }],
    [
      { name: "Ada", teams: "" },
      { name: "Ada", teams: [] },
    ],
  ])("%j", (record, person) => {
    expect(understandPerson(record)).toEqual({ kind: "row", warnings: [], row: person });
  });

  test("what a user does not have is said", () => {
    expect(understandPerson({ name: "Ada", phone: "1" })).toMatchObject({
      warnings: ["Left out, because a user has no such member: phone."],
    });
  });

  test("faults", () => {
    expect(understandPerson({ email: "a@b.c" })).toMatchObject({ kind: "fault", detail: "The person has no name." });
    expect(understandPerson({ name: "Ada", teams: [1] })).toMatchObject({
      kind: "fault",
      detail: '"teams" must be a list of names.',
    });
    expect(understandPerson({ name: "Ada", teams: 3 })).toMatchObject({ kind: "fault" });
  });
});
