import { describe, expect, test } from "vitest";
import { formatFields, formatTable } from "../src/table.ts";

const columns = [{ heading: "ID" }, { heading: "TITLE", flexible: true }];

describe("a table", () => {
  test("aligns columns by what they take on a terminal", () => {
    expect(
      formatTable(
        columns,
        [
          ["1", "漢字"],
          ["222", "b"],
        ],
        undefined,
      ),
    ).toBe("ID   TITLE\n1    漢字\n222  b");
  });

  test("cuts the flexible column to the terminal's width, and nothing off a terminal", () => {
    const rows = [["1", "a title that is rather long"]];
    expect(formatTable(columns, rows, 20).split("\n")[1]).toBe("1   a title that is…".slice(0, 20));
    expect(formatTable(columns, rows, undefined)).toContain("a title that is rather long");
  });

  test("a cell can't break out of its row", () => {
    expect(formatTable(columns, [["1", "a\nb\u001b[2Jc"]], undefined).split("\n")[1]).toBe("1   a bc");
  });
});

test("fields are aligned by their names", () => {
  expect(
    formatFields([
      ["id", "1"],
      ["title", "a\nb"],
    ]),
  ).toBe("id     1\ntitle  a b");
});
