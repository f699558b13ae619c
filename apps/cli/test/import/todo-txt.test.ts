import { describe, expect, test } from "vitest";
import { readTodoLine, readTodoTxt } from "../../src/import/todo-txt.ts";
import { chunksOf, collect } from "./bytes.ts";

describe("a line of todo.txt", () => {
  test.each([
    ["Buy milk", { title: "Buy milk", status: "open" }],
    [
      "(A) 2024-01-02 Call +Family @phone",
      {
        title: "Call +Family @phone",
        status: "open",
        priority: "A",
        created: "2024-01-02",
        projects: ["Family"],
        contexts: ["phone"],
      },
    ],
    [
      "x 2024-01-05 2024-01-02 Call",
      { title: "Call", status: "done", updated: "2024-01-05", completed: "2024-01-05", created: "2024-01-02" },
    ],
    ["x 2024-01-05 Call", { title: "Call", status: "done", updated: "2024-01-05", completed: "2024-01-05" }],
    ["x Call pri:B", { title: "Call", status: "done", priority: "B" }],
    [
      "x (B) 2024-01-05 Call",
      { title: "Call", status: "done", priority: "B", updated: "2024-01-05", completed: "2024-01-05" },
    ],
    ["Pay due:2024-03-01 rec:1m", { title: "Pay", status: "open", due: "2024-03-01", rec: "1m" }],
    ["See https://example.org at 12:30", { title: "See https://example.org at 12:30", status: "open" }],
    ["xylophone lesson", { title: "xylophone lesson", status: "open" }],
    ["Call (A) 2024-01-02", { title: "Call (A) 2024-01-02", status: "open" }],
    ["two a:1 a:2", { title: "two a:2", status: "open", a: "1" }],
    ["1 + 1 @ home", { title: "1 + 1 @ home", status: "open" }],
    ["  żółw  漢字 ", { title: "żółw 漢字", status: "open" }],
  ])("%s", (line, members) => {
    expect(readTodoLine(line)).toEqual(members);
  });

  test("a tag never takes the place of what the line itself says", () => {
    expect(readTodoLine("Call title:evil status:done")).toEqual({ title: "Call", status: "open" });
  });
});

test("each line is a record of its own", async () => {
  const read = await collect(readTodoTxt(chunksOf("one\n\nx two\n")));
  expect(read).toMatchObject([
    { place: "line 1", value: { title: "one" } },
    { place: "line 3", value: { title: "two", status: "done" } },
  ]);
});
